"""A loss described: as LaTeX, as data, and as the programs that it is compiled to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sympy.core.symbol import Str

from lossgen.backends.layout import shape_text
from lossgen.compiled import Compiled, compile_loss
from lossgen.lower import item_letters
from lossgen.mathdoc import Equation, Mathematics, mathematics
from lossgen.mathdoc.equations import layout
from lossgen.mathdoc.kinks import singular_points
from lossgen.nodes import Given
from lossgen.notation import plain
from lossgen.program import show
from lossgen.schedule import with_guards
from lossgen.spec import LossSpec, Parameter, TensorArg
from lossgen.static import ALWAYS, guard_of

WIDTH = 96


def latex(spec: LossSpec) -> tuple[str, str]:
    """Value and gradient of a loss, each ready to stand in display mathematics.

    What the symbols stand for is said in comments, which TeX skips.
    """
    value, gradient = [], []
    for compiled in _formulas(compile_loss(spec)):
        maths = mathematics(compiled)
        head = [] if compiled.spec is spec else ["% for a floating-point target"]
        names = [f"% {symbol} is {name}" for symbol, name in maths.symbols]
        value += [*head, *_display(maths.value), *names, *_comments(maths.value_notes)]
        bars = ["% a bar marks the derivative of the reduced loss", *_divisor(maths)]
        gradient += [*head, *_display(maths.gradient), *bars, *_comments(maths.gradient_notes)]
    return "\n".join(value), "\n".join(gradient)


def _formulas(compiled: Compiled) -> list[Compiled]:
    return [compiled] if compiled.floating is None else [compiled, compiled.floating]


def _display(equations: Sequence[Equation]) -> list[str]:
    lines = layout(equations, WIDTH)
    if len(equations) == 1 and "&" not in lines[0]:
        return lines
    return ["\\begin{aligned}", *(f"    {x}" for x in lines), "\\end{aligned}"]


def _comments(notes: Sequence[str]) -> list[str]:
    return [f"% {note.replace(':math:', '').replace('`', '')}" for note in notes]


def _divisor(maths: Mathematics) -> list[str]:
    divides = any("\\bar{D}" in e.text for e in maths.gradient)
    return ["% \\bar{D} is that with respect to the terms of the mean's divisor"] if divides else []


def as_json(spec: LossSpec) -> dict[str, Any]:
    """A loss as data that ``json`` can write."""
    compiled = compile_loss(spec)
    maths = mathematics(compiled)
    out: dict[str, Any] = {
        "name": spec.name,
        "summary": spec.summary,
        "description": spec.description,
        "family": spec.family,
        "reference": spec.reference,
        "spec": {"path": spec.path, "line": spec.line, "hash": spec.source_hash},
        "forms": {
            "plain": spec.function_name,
            "functional": spec.functional_name,
            "class": spec.class_name,
        },
        "tensors": [_tensor(t) for t in spec.tensors],
        "parameters": [_parameter(p) for p in spec.parameters],
        "reductions": ["none", "mean", "sum", *(name for name, _ in spec.divisors)],
        "default_reduction": spec.default_reduction,
        "shape": shape_text(tuple(spec.axes[x] for x in item_letters(spec))),
        "value": [e.text for e in maths.value],
        "gradient": [e.text for e in maths.gradient],
        "symbols": {name: symbol for symbol, name in maths.symbols},
        "singular_points": singular_points(compiled),
        "rules": [
            {"pattern": r.pattern, "becomes": r.becomes, "valid": r.valid} for r in compiled.rules
        ],
        "chosen_forms": [
            {
                "name": c.name,
                "written": plain(c.written),
                "chosen": plain(c.chosen),
                "bits_lost": [round(c.before, 2), round(c.after, 2)],
            }
            for c in compiled.choices
        ],
        "refused_rules": [
            {"pattern": r.rule.pattern, "becomes": r.rule.becomes, "reason": r.reason}
            for r in compiled.refused
        ],
    }
    if compiled.floating is not None:
        other = mathematics(compiled.floating)
        out["floating_target"] = {
            "value": [e.text for e in other.value],
            "gradient": [e.text for e in other.gradient],
        }
    return out


def _tensor(t: TensorArg) -> dict[str, Any]:
    return {
        "name": t.name,
        "role": t.role.name,
        "axes": [axis.name for axis in t.axes],
        "shape": shape_text(t.axes),
        "domain": t.role.domain,
        "optional": t.optional,
        "broadcast": t.broadcast,
    }


def _parameter(p: Parameter) -> dict[str, Any]:
    # JSON has no infinity.
    default = str(p.default) if p.default in (float("inf"), float("-inf")) else p.default
    return {"name": p.name, "role": p.role.name, "default": default, "domain": p.role.domain}


def program_text(spec: LossSpec) -> str:
    """The forward and backward programs, and the stability rules that fired or were refused."""
    parts: list[str] = []
    for compiled in _formulas(compile_loss(spec)):
        if compiled.spec is not spec:
            parts.append("For a floating-point target")
        parts += [
            _section("Forward", show(compiled.forward)),
            _section("Backward", _backward(compiled)),
        ]
        if compiled.backward.saved:
            parts.append(_section("Kept for the backward", ", ".join(compiled.backward.saved)))
        rules = [f"{r.pattern}  →  {r.becomes}  ({r.valid})" for r in compiled.rules]
        parts.append(_section("Made stable", "\n".join(rules) or "nothing to do"))
        refused = [f"{r.rule.pattern}  →  {r.rule.becomes}: {r.reason}" for r in compiled.refused]
        choices = [
            f"{c.name}: {plain(c.written)}  →  {plain(c.chosen)}  "
            f"({c.before:.1f} → {c.after:.1f} bits lost, on average)"
            for c in compiled.choices
        ]
        if choices:
            parts.append(_section("Chosen by measurement", "\n".join(choices)))
        if refused:
            parts.append(_section("Left as written", "\n".join(refused)))
    return "\n\n".join(parts)


def _section(title: str, text: str) -> str:
    return "\n".join((title, *(f"  {line}" for line in text.splitlines())))


def _backward(compiled: Compiled) -> str:
    """The backward program, its statements under what makes them necessary."""
    backward = compiled.backward
    optional = {t.name for t in compiled.spec.tensors if t.optional}
    roots = {
        f"d_{g}": guard_of(Given(Str(g))) if g in optional else ALWAYS for g in backward.gradients
    }
    return show(replace(backward.program, statements=with_guards(backward.program, roots)))
