"""A function that the author wrote is a function of the generated module, written once."""

from __future__ import annotations

import ast
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sympy as sp
import torch
from sympy.core.symbol import Str

from lossgen.backends.own_names import OWN_CLASSES, OWN_FUNCTIONS
from lossgen.backends.torch_retold import name_for_all, told_of
from lossgen.nodes import Compare, Letter, Param, Read
from lossgen.pipeline import render_losses
from lossgen.program import Statement
from lossgen.schedule import Branch, hoisted, in_place_of, repeated, statements_of
from lossgen.spec import LossSpec, read_spec
from tests.compiler.test_own_classes import BACKENDS

TEMPLATES = Path(__file__).resolve().parents[2] / "templates"
N = Letter("n")
P_IS_2 = Compare("==", Param("p"), 2)


def makes(name: str, *reads: str, power: int = 2) -> Statement:
    return Statement(name, (N,), sp.Add(*(Read(Str(x), N) ** power for x in reads)))


def runs(blocks: tuple[Statement | Branch, ...], *ends: str) -> list[tuple[int, int]]:
    found = repeated(blocks, [(x,) for x in ends], (), {})
    return [(x.start, x.stop) for x in found]


def test_runs_that_differ_in_names_alone_are_found() -> None:
    blocks = (
        makes("a", "x"),
        makes("b", "a"),
        makes("c", "y"),
        makes("d", "c"),
        makes("e", "b", "d"),
    )
    assert runs(blocks, "b", "d") == [(0, 2), (2, 4)]
    (_, second) = repeated(blocks, [("b",), ("d",)], (), {})
    assert second.names == {"x": "y", "a": "c", "b": "d"}


def test_not_every_order_of_many_terms_is_tried() -> None:
    many = [[f"{x}{k}" for k in range(12)] for x in "xy"]
    blocks = (
        makes("a", *many[0]),
        makes("b", "a"),
        makes("c", *many[1]),
        makes("d", "c", power=3),
        makes("e", "b", "d"),
    )
    start = time.perf_counter()
    assert runs(blocks, "b", "d") == []
    assert time.perf_counter() - start < 5
    assert runs((*blocks[:3], makes("d", "c"), blocks[4]), "b", "d") == [(0, 2), (2, 4)]


def test_what_others_read_stays_outside() -> None:
    blocks = (makes("a", "x"), makes("b", "a"), makes("c", "y"), makes("d", "c"))
    assert runs((*blocks, makes("e", "a", "b", "d")), "b", "d") == [(1, 2), (3, 4)]


def test_runs_that_differ_in_more_are_not_found() -> None:
    assert runs((makes("a", "x"), makes("b", "y", power=3), makes("e", "a", "b")), "a", "b") == []
    blocks = (makes("a", "x"), makes("b", "a", "y"), makes("e", "a", "b"))
    assert runs(blocks, "a", "b") == []


def test_a_run_makes_its_end_whatever_the_options() -> None:
    sides = [Branch(P_IS_2, (makes(x, y),), (makes(x, y, power=3),)) for x, y in ("ax", "by")]
    assert runs((*sides, makes("e", "a", "b")), "a", "b") == [(0, 1), (1, 2)]
    one = [Branch(P_IS_2, (makes(x, y), makes("o", x)), ()) for x, y in ("ax", "by")]
    assert [x for x in runs((*one, makes("e", "a", "b")), "a", "b") if x != (0, 1)] == []


def test_other_blocks_stand_in_place_of_runs() -> None:
    inner = Branch(P_IS_2, (makes("c", "y"), makes("d", "c")), ())
    blocks = (makes("a", "x"), makes("b", "a"), inner, makes("e", "b", "d"))
    found = repeated(blocks, [("b",), ("d",)], (), {})
    new = in_place_of(blocks, [(x, [makes(x.names["b"], "x")]) for x in found])
    assert [x.name for x in statements_of(new)] == ["b", "d", "e"]


def test_statements_are_hoisted_no_further_than_what_they_read() -> None:
    blocks = (makes("a", "x"), makes("b", "y"), makes("c", "a"))
    assert [x.name for x in statements_of(hoisted(blocks, {"c"}))] == ["a", "c", "b"]


@pytest.mark.parametrize(
    ("names", "alike"),
    [
        (["gap", "near_gap", "between_gap"], "gap"),
        (["hinge1", "hinge2"], "hinge"),
        (["dot_centred1", "dot_centred2"], "dot_centred"),
        (["near", "far"], "instead"),
        (["d_hinge2_centred_dot_centred", "d_centred_dot_centred"], "d_centred_dot_centred"),
    ],
)
def test_names_keep_what_they_have_in_common(names: list[str], alike: str) -> None:
    assert name_for_all(names, "instead") == alike


def test_a_name_tells_of_the_parameter() -> None:
    assert told_of("mean_input1", {"input1": "z"}) == "mean_z"
    assert told_of("near_gap_is_near", {"near": "length", "near_gap": "gap"}) == "gap_is_length"


# --- in generated modules -------------------------------------------------------------------------

HELPER = """
    def {name}(z, w):
        '''How far two rows are apart.'''
        gap = z - w * weight
        spread = sqrt(Mean(gap**2, d) + 1)
        bent = gap / spread + tanh(gap)
        total = Sum(bent**2, d)
        peak = Amax(bent, d)
        return log(1 + total) + exp(-(peak**2)) * total

    near = {name}(x[n, d], y[n, d])
    far = {name}(x[n, d], z[n, d])
    return near - far
"""
ARGUMENTS = "x: Real[n, d], y: Real[n, d], z: Real[n, d], *, weight: Positive = 2.0"


def own(name: str) -> LossSpec:
    text = f"from lossgen.language import *\n\n@loss()\ndef made({ARGUMENTS}):\n    '''Made.'''\n"
    return read_spec(text + HELPER.replace("{name}", name), "made", "specs/made.py")


def functions(spec: LossSpec, backend: str) -> dict[str, ast.FunctionDef]:
    (rendered,) = render_losses([spec], backends={spec.name: backend})
    body = ast.parse(rendered.module).body
    return {x.name: x for x in body if isinstance(x, ast.FunctionDef)}


def called(function: ast.AST) -> Iterator[str]:
    for x in ast.walk(function):
        if isinstance(x, ast.Call) and isinstance(x.func, ast.Name):
            yield x.func.id


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_backend_has_the_function(backend: str) -> None:
    made = functions(own("apart"), backend)
    helper = made["_apart"]
    assert [x.arg for x in helper.args.args] == ["z", "w", "weight"]
    assert (ast.get_docstring(helper) or "").startswith(
        "How far two rows are apart: [N, D], [N, D]"
    )
    stored = {x.id for x in ast.walk(helper) if isinstance(x, ast.Name)}
    assert {"gap", "spread", "bent", "total", "peak", "apart"} <= stored
    assert [*called(made["made"])].count("_apart") == 2


def test_a_function_called_like_one_of_ours_has_the_loss_in_its_name() -> None:
    assert "_made_norm" in functions(own("norm"), "eager")


def test_the_function_computes_what_its_lines_would() -> None:
    spec = own("apart")
    (rendered,) = render_losses([spec])
    space: dict[str, object] = {"__name__": "made"}
    exec(compile(rendered.module, "made.py", "exec"), space)
    x, y, z = torch.randn(3, 4, 5, dtype=torch.float64, requires_grad=True).unbind()
    value = space["made"](x, y, z, weight=1.5)  # type: ignore[operator]

    def apart(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        gap = a - 1.5 * b
        bent = gap / (gap.square().mean(-1) + 1).sqrt()[:, None] + gap.tanh()
        total = bent.square().sum(-1)
        return (1 + total).log() + (-bent.amax(-1).square()).exp() * total

    torch.testing.assert_close(value, (apart(x, y) - apart(x, z)).mean())


def test_the_list_has_all_functions_of_ours() -> None:
    found = {x for backend in BACKENDS for x in functions(own("apart"), backend)}
    ours = {x for x in found if x.startswith("_") and "made" not in x and "apart" not in x}
    assert ours <= OWN_FUNCTIONS, ours - OWN_FUNCTIONS


def test_the_list_has_what_the_templates_define() -> None:
    """Those of modules: what defines functions of a test, or of a kernel, is no part of one."""
    texts = [x.read_text(encoding="utf-8") for x in TEMPLATES.glob("*.jinja")
             if not x.name.startswith(("test", "kernels"))]  # fmt: skip
    found = {x for text in texts for x in re.findall(r"^(?:def|class) (_\w+)", text, re.MULTILINE)}
    assert len(found) > 40
    assert found <= OWN_FUNCTIONS | OWN_CLASSES, found - OWN_FUNCTIONS - OWN_CLASSES
