"""The C functions against mpmath: at numbers spread evenly over the type's, and at hard ones."""

from __future__ import annotations

import itertools
import platform
import re
import subprocess
from ctypes import CDLL
from pathlib import Path

import numpy as np
import pytest

from lossgen.backends.c_maths import function_names, maths_source
from lossgen.errors import LossgenError
from tests.native.cases import CASES
from tests.native.dense import DENSE, densely
from tests.native.ends import ENDS, NAN, TOTAL
from tests.native.maths import (
    COMPILER,
    FLAGS,
    call,
    compiled,
    points,
    program,
    worst,
)
from tests.native.test_maths_doc import stated

pytestmark = pytest.mark.skipif(COMPILER is None, reason="no C compiler")

COUNTS = {name: len(rows[0]) - 1 for name, rows in ENDS.items()}
KINDS = [np.float32, np.float64]


@pytest.fixture(scope="module", params=KINDS, ids=["float", "double"])
def library(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[CDLL, type]:
    folder = tmp_path_factory.mktemp("maths")
    return compiled(folder, COUNTS, request.param is np.float64, "-march=native")[0], request.param


@pytest.mark.parametrize("name", CASES)
def test_error(name: str, library: tuple[CDLL, type]) -> None:
    error, at = worst(library[0], name, points(CASES[name], library[1]))
    assert error <= CASES[name].limit, f"{error:.2f} ulp at {at}"
    # Compilers may differ in what they fuse, but not by much.
    said = stated()[name.removeprefix("real_")][library[1] is np.float64]
    assert error <= said + 0.25, f"{error:.2f} ulp at {at}: docs/c-maths.md says {said}"


@pytest.mark.slow
@pytest.mark.parametrize("name", DENSE)
def test_error_over_many_floats(name: str, tmp_path: Path) -> None:
    library, _ = compiled(tmp_path, {name: 1}, False, "-march=native")
    error, at = densely(library, name, 67)
    assert error <= CASES[name].limit, f"{error:.2f} ulp at {at}"


@pytest.mark.parametrize("name", ENDS)
def test_ends(name: str, library: tuple[CDLL, type]) -> None:
    rows = ENDS[name]
    if COUNTS[name] == 1 and name not in TOTAL:
        rows = (*rows, (NAN, NAN))
    # The loop's last turns are not vectors: often enough that both kinds meet each of them.
    *arguments, wanted = np.array(rows * 17, dtype=library[1]).T
    found = call(library[0], name, *arguments)
    same = (found == wanted) & (np.signbit(found) == np.signbit(wanted))
    right = same | (np.isnan(found) & np.isnan(wanted))
    wrong = [x[~right] for x in (*arguments, found)]
    assert right.all(), wrong


def test_every_function_is_tried() -> None:
    # Of the others, what an argument may be depends on the arguments before it.
    elsewhere = {"real_power", "real_slope_of_power", "real_gauss", "real_remainder"}
    elsewhere |= {"real_finite", "real_log_sum_of", "real_log_mixture"}
    assert set(function_names()) == ENDS.keys() | elsewhere
    assert set(ENDS) - set(CASES) == {
        "real_abs",
        "real_sign",
        "real_step",
        "real_floor",
        "real_max",
        "real_min",
        "real_ratio",
    }


@pytest.mark.parametrize("name", sorted(COUNTS))
def test_each_function_comes_with_all_it_calls(name: str, tmp_path: Path) -> None:
    text = program({name: COUNTS[name]})
    (tmp_path / "one.c").write_text(text, encoding="utf-8")
    for double in "01":
        words = [*FLAGS, "-O0", f"-DREAL_IS_DOUBLE={double}", "-fsyntax-only", "one.c"]
        command = [str(COMPILER), *words]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    # And nothing else.
    defined = re.findall(r"^inlined \w+ (\w+)\(", text, re.MULTILINE)
    assert [x for x in defined if len(re.findall(rf"\b{x}\b", text)) < 2] == []


def test_the_order_of_the_names_does_not_matter() -> None:
    names = ["real_pow", "real_exp", "real_erf", "real_max"]
    assert len({maths_source(order) for order in itertools.permutations(names)}) == 1


def test_an_unknown_name() -> None:
    with pytest.raises(LossgenError, match="no function real_cosine"):
        maths_source(["real_exp", "real_cosine"])


SCALAR = {"real_sin", "real_cos", "real_lgamma", "real_digamma", "real_trigamma"}
SETS = {"avx2": ["-mavx2", "-mfma"], "avx512": ["-march=skylake-avx512"]}


@pytest.mark.parametrize(
    ("double", "set_"),
    [
        pytest.param(False, "avx2", id="float-avx2"),
        pytest.param(True, "avx512", id="double-avx512"),
        pytest.param(True, "avx2", id="double-avx2", marks=pytest.mark.slow),
        pytest.param(False, "avx512", id="float-avx512", marks=pytest.mark.slow),
    ],
)
def test_loops_become_vector_code(double: bool, set_: str, tmp_path: Path) -> None:
    asked = [str(COMPILER), "--version"]
    version = subprocess.run(asked, capture_output=True, text=True, check=False).stdout
    if "Free Software Foundation" not in version or platform.machine() != "x86_64":
        pytest.skip("asks gcc on x86-64 what it did")
    said = compiled(tmp_path, COUNTS, double, *SETS[set_], "-fopt-info-vec")[1]
    done = {int(k) for k in re.findall(r"maths\.c:(\d+):\d+: optimized: loop vectorized", said)}
    scalar = set()
    for k, line in enumerate(program(COUNTS).splitlines(), 1):
        found = re.match(r"void loop_(\w+)", line)
        if found and not done & set(range(k, k + 5)):
            scalar.add(found[1])
    assert scalar == SCALAR
