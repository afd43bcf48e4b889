"""A loss may be called what a generated module calls a class of its own."""

from __future__ import annotations

import ast

import pytest

from lossgen.backends.torch_names import OWN_CLASSES
from lossgen.pipeline import render_losses
from tests.compiler.catalogue import spec_of

BACKENDS = ("eager", "compile", "c", "triton")
# Of so many steps that large tensors go through blocks.
BODY = "log(1 + exp(x[e]))*sqrt(1 + y[e]**2)*exp(x[e]*y[e])*tanh(y[e])"


def classes(name: str, backend: str) -> list[str]:
    spec = spec_of(BODY, "x: Real[e], y: Real[e]", name)
    (rendered,) = render_losses([spec], backends={name: backend})
    return [x.name for x in ast.walk(ast.parse(rendered.module)) if isinstance(x, ast.ClassDef)]


@pytest.mark.parametrize("name", ["context", "in_blocks", "in_order", "kept", "together"])
def test_no_class_has_two_meanings(name: str) -> None:
    for backend in BACKENDS:
        found = classes(name, backend)
        assert len({*found}) == len(found), backend


def test_the_list_has_all_of_them() -> None:
    found = {x for backend in BACKENDS for x in classes("made", backend)}
    assert {x for x in found if not x.removeprefix("_").startswith("Made")} == OWN_CLASSES
