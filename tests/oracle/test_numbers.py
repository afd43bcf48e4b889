"""The exact numbers of other losses against formulas written out here, over mpmath."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import mpmath as mp
import pytest

from tests.oracle.loading import generated_test, shipped

Rows = Any  # nested lists of mpf


def _rows(test: ModuleType, exact: Any, name: str) -> Rows:
    def lifted(x: Any) -> Any:
        return [lifted(y) for y in x] if isinstance(x, list) else mp.mpf(x)

    return lifted(exact.tensors[name].tolist())


def _unit(row: list[Any]) -> list[Any]:
    length = mp.sqrt(sum(x**2 for x in row))
    return [x / length for x in row]


def _dot(a: list[Any], b: list[Any]) -> Any:
    return sum(x * y for x, y in zip(a, b, strict=True))


def _dice(input: Rows, target: Rows, smooth: float = 1.0) -> list[Any]:
    out = []
    for scores, truths in zip(input, target, strict=True):
        for score, truth in zip(scores, truths, strict=True):
            prob = [1 / (1 + mp.exp(-x)) for x in score]
            mass = sum(prob) + sum(truth)
            out.append(1 - (2 * _dot(prob, truth) + smooth) / (mass + smooth))
    return out


def _dpo(
    chosen: Rows, rejected: Rows, ref_chosen: Rows, ref_rejected: Rows, beta: float = 0.1
) -> list[Any]:
    gaps = zip(chosen, rejected, ref_chosen, ref_rejected, strict=True)
    return [mp.log(1 + mp.exp(-mp.mpf(beta) * ((a - b) - (c - d)))) for a, b, c, d in gaps]


def _supcon(input: Rows, target: Rows, tau: float = 0.1) -> list[Any]:
    units, n, out = [_unit(row) for row in input], len(input), []
    for i in range(n):
        sim = [_dot(units[i], units[j]) / mp.mpf(tau) for j in range(n)]
        below = mp.log(sum(mp.exp(sim[j]) for j in range(n) if j != i))
        own = [sim[j] - below for j in range(n) if j != i and target[i] == target[j]]
        out.append(-sum(own) / len(own) if own else mp.mpf(0))
    return out


def _total_variation(input: Rows) -> list[Any]:
    out = []
    for image in input:
        moves = [
            abs(row[k + 1] - row[k])
            for plane in image
            for row in plane
            for k in range(len(row) - 1)
        ]
        drops = [
            abs(below[k] - above[k])
            for plane in image
            for above, below in zip(plane, plane[1:], strict=False)
            for k in range(len(above))
        ]
        out.append(sum(moves) + sum(drops))
    return out


CHECKED: dict[str, Callable[..., list[Any]]] = {
    "dice": _dice,
    "dpo": _dpo,
    "supcon": _supcon,
    "total_variation": _total_variation,
}


@pytest.mark.parametrize("name", CHECKED)
def test_items_are_the_papers(name: str, tmp_path: Path) -> None:
    test = generated_test(shipped(name), tmp_path)
    exact = test.solved(test.CASES["defaults"])
    with mp.workdps(60):
        arguments = {k: _rows(test, exact, k) for k in exact.tensors}
        expected = CHECKED[name](**arguments)
        found = [mp.mpf(x.value) for x in exact.value("none")]
        assert len(found) == len(expected)
        for got, want in zip(found, expected, strict=True):
            assert mp.almosteq(got, want, rel_eps=mp.mpf(10) ** -50, abs_eps=mp.mpf(10) ** -50)


def _barron(test: ModuleType, alpha: float) -> tuple[list[Any], list[Any]]:
    case = test.Case(test.formula, test.SAMPLES, options={"alpha": alpha, "scale": 2.0})
    exact = test.solved(case)
    a, b = (exact.tensors[k].flatten().tolist() for k in ("input", "target"))
    squares = [((mp.mpf(x) - mp.mpf(y)) / 2) ** 2 for x, y in zip(a, b, strict=True)]
    return [mp.mpf(x.value) for x in exact.value("none")], squares


@pytest.mark.parametrize(
    ("alpha", "member"),
    [
        (2.0, lambda z: z / 2),
        (1.0, lambda z: mp.sqrt(z + 1) - 1),
        (0.0, lambda z: mp.log(z / 2 + 1)),
        (-2.0, lambda z: 2 * z / (z + 4)),
        (float("-inf"), lambda z: 1 - mp.exp(-z / 2)),
    ],
)
def test_barron_has_its_members(alpha: float, member: Callable[[Any], Any], tmp_path: Path) -> None:
    test = generated_test(shipped("barron"), tmp_path)
    with mp.workdps(60):
        found, squares = _barron(test, alpha)
        for got, square in zip(found, squares, strict=True):
            assert mp.almosteq(got, member(square), rel_eps=mp.mpf(10) ** -50)
