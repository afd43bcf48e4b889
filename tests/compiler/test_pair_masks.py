"""A condition on pairs that several places ask for has a name and is computed once."""

from __future__ import annotations

import pytest

from lossgen.backends.torch_pair_masks import with_pair_masks
from lossgen.program import check, show
from tests.compiler.catalogue import written

COX = "Sum(exp(x[k]), k, where=t[k] >= t[n]) / Count(t[k] >= t[n], k)"


def masks(body: str, arguments: str = "x: Real[n], t: Real[n]") -> list[str]:
    program = check(with_pair_masks(written(body, arguments).forward, {"taken"}))
    return [x for x in show(program).splitlines() if x.startswith(("ordered", "same", "other"))]


@pytest.mark.parametrize(
    ("compared", "name"), [(">=", "ordered_t"), ("==", "same_t"), ("!=", "other_t")]
)
def test_a_repeated_condition_is_named_once(compared: str, name: str) -> None:
    found = masks(COX.replace(">=", compared))
    assert found == [f"{name}[n, k] = t[k] {compared} t[n]"]


def test_what_asks_once_and_what_is_no_pair_stay() -> None:
    assert masks("Sum(exp(x[k]), k, where=t[k] >= t[n])") == []
    assert masks("where(t[n] >= 0, x[n], 0) + Sum(where(t[n] >= 0, x[n], 1), n)") == []


def test_an_authors_name_is_enough() -> None:
    body = "later = t[k] >= t[n]; Sum(exp(x[k]), k, where=later) / Count(later, k)"
    assert masks(body) == []
