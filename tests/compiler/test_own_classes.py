"""A loss may be called what a generated module calls a class of its own."""

from __future__ import annotations

import ast

import pytest

from lossgen.backends.own_names import OWN_CLASSES
from lossgen.pipeline import render_losses
from tests.compiler.catalogue import spec_of

BACKENDS = ("eager", "compile", "c", "triton")
# Of so many steps that large tensors go through blocks.
BODY = "log(1 + exp(x[e]))*sqrt(1 + y[e]**2)*exp(x[e]*y[e])*tanh(y[e])"


# Of pairs, so that large batches go by blocks of rows.
PAIRS = "sim = Sum(at(x[n, d], n=i)*at(y[n, d], n=j), d); logsumexp(sim, j) - at(sim, j=i)"


def classes(name: str, backend: str, pairs: bool = False) -> list[str]:
    spec = spec_of(BODY, "x: Real[e], y: Real[e]", name)
    if pairs:
        spec = spec_of(PAIRS, "x: Real[n, d], y: Real[n, d]", name)
    (rendered,) = render_losses([spec], backends={name: backend})
    return [x.name for x in ast.walk(ast.parse(rendered.module)) if isinstance(x, ast.ClassDef)]


@pytest.mark.parametrize(
    ("name", "pairs"),
    [
        *((name, False) for name in ("context", "in_blocks", "in_order", "kept", "together")),
        *((name, True) for name in ("by_rows", "product", "view")),
    ],
)
def test_no_class_has_two_meanings(name: str, pairs: bool) -> None:
    for backend in BACKENDS:
        found = classes(name, backend, pairs)
        assert len({*found}) == len(found), backend


def test_the_list_has_all_of_them() -> None:
    found = {x for b in BACKENDS for pairs in (False, True) for x in classes("made", b, pairs)}
    assert {x for x in found if not x.removeprefix("_").startswith("Made")} == OWN_CLASSES
