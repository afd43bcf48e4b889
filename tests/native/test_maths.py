"""The C functions against mpmath: at numbers spread evenly over the type's, and at hard ones."""

from __future__ import annotations

from ctypes import CDLL

import numpy as np
import pytest

from tests.native.cases import CASES, Case
from tests.native.maths import COMPILER, Array, compiled, ordinals, worst

pytestmark = pytest.mark.skipif(COMPILER is None, reason="no C compiler")

COUNTS = {name: case.arguments for name, case in CASES.items()}
KINDS = [np.float32, np.float64]


@pytest.fixture(scope="module", params=KINDS, ids=["float", "double"])
def library(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[CDLL, type]:
    folder = tmp_path_factory.mktemp("maths")
    return compiled(folder, COUNTS, request.param is np.float64, "-march=native")[0], request.param


def points(case: Case, kind: type[np.floating], total: int = 1200) -> list[Array]:
    """The arguments: each interval of the type's numbers, the whole domain first, and the ends."""
    info = np.finfo(kind)
    low, high = max(case.low, float(info.min)), min(case.high, float(info.max))
    columns = []
    for hard in case.hard:
        inside = [(max(low, a), min(high, b)) for a, b in hard]
        intervals = [(low, high), *((a, b) for a, b in inside if a < b)]
        columns.append([ordinals(a, b, total // len(hard), kind) for a, b in intervals])
    sides = [np.concatenate(column) for column in columns]
    size = max(map(len, sides))
    # The arguments of one row lie in the same interval; their order there differs.
    return [np.resize(x, size) if k == 0 else _shuffled(x, size) for k, x in enumerate(sides)]


def _shuffled(x: Array, size: int) -> Array:
    order = np.random.default_rng(5).permutation(len(x))
    near = np.argsort(np.arange(len(x)) // 100 * len(x) + order % 100, kind="stable")
    return np.resize(x[near], size)


@pytest.mark.parametrize("name", CASES)
def test_error(name: str, library: tuple[CDLL, type]) -> None:
    error, at = worst(library[0], name, CASES[name].exact, points(CASES[name], library[1]))
    assert error <= CASES[name].limit, f"{error:.2f} ulp at {at}"
