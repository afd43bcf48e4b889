"""The ``autograd.Function`` of a formula: forward, what it keeps, backward, forward mode.

In: a ``Formula``.  Out: an ``AutogradPage``.

    d_x[n] = grad_loss[n]*2*x[n]  →  def backward(ctx, grad_loss): x, = ctx.saved_tensors; ...

It refuses nothing; where what was kept has no derivative, the backward computes it anew when a
second derivative is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from sympy.core.symbol import Str

from lossgen.backends.torch_formula import Formula
from lossgen.backends.torch_signatures import parameter_argument, tensor_argument
from lossgen.nodes import Needs
from lossgen.page import Argument, AutogradPage, Lines, signature
from lossgen.static import ALWAYS, guard_of


def autograd_page(f: Formula) -> AutogradPage:
    """Forward, what it keeps, and the closed-form backward."""
    spec, forward, backward = f.spec, f.compiled.forward, f.compiled.backward
    roots = dict.fromkeys((*forward.results, *backward.saved), ALWAYS)
    outputs = tuple(dict.fromkeys((*forward.results, *backward.saved)))
    forward_body = f.lines(forward, roots, frozenset(forward.results))
    arguments = [tensor_argument(t, f.checks) for t in spec.tensors]
    arguments = [
        replace(a, annotation=a.annotation.replace(" | float", ""), default="") for a in arguments
    ]
    options = [replace(parameter_argument(p), default="") for p in spec.parameters]
    if f.reduces:
        options.append(Argument("reduction", "str"))
        forward_body += [
            'if reduction == "mean":',
            f"    {f.item} = {f.item}.mean()",
            'elif reduction == "sum":',
            f"    {f.item} = {f.item}.sum()",
        ]
    # One gradient comes in for each result; nothing follows the last that has one.
    seeded = max((forward.results.index(x) + 1 for x in backward.seeds), default=0)
    absent = " | None" if len(backward.seeds) == 1 else ""
    head = [
        *(f"grad_{x}: Tensor{absent}" for x in forward.results[:seeded]),
        "*unused: None",
    ]
    return AutogradPage(
        name=f.autograd,
        doc=f"What stands behind :func:`{f.functional}`: the formula and its closed-form backward.",
        forward_signature=signature([*arguments, *options]),
        forward_body=(*forward_body, f"return {tuple_text(outputs)}"),
        setup_body=_setup_body(f),
        backward_signature=", ".join(["ctx: Any", *head]),
        backward_body=_backward_body(f),
        jvp_body=_jvp_body(f),
    )


def _extra(f: Formula) -> tuple[str, ...]:
    """Saved values that are not results themselves."""
    return tuple(x for x in f.compiled.backward.saved if x not in f.compiled.forward.results)


def _setup_body(f: Formula) -> Lines:
    count, results = len(f.spec.tensors), len(f.compiled.forward.results)
    with_options = bool(f.spec.parameters) or f.reduces
    saved = f"*inputs[:{count}]" if with_options else "*inputs"
    extra = f", *output[{results}:]" if _extra(f) else ""
    also = [x for x in f.compiled.backward.saved if x in f.compiled.forward.results]
    extra += "".join(f", output[{f.compiled.forward.results.index(x)}]" for x in also)
    options = (f"ctx.options = inputs[{count}:]",) if with_options else ()
    single = len(f.compiled.backward.seeds) == 1
    return (
        *options,
        f"ctx.save_for_backward({saved}{extra})",
        f"ctx.save_for_forward({saved})",
        # With two results, autograd's own zeros stand for the gradient that is absent.
        *(["ctx.set_materialize_grads(False)"] if single else []),
    )


def _backward_body(f: Formula) -> Lines:
    spec, forward, backward = f.spec, f.compiled.forward, f.compiled.backward
    inputs = [t.name for t in spec.tensors]
    options = [p.name for p in spec.parameters] + (["reduction"] if f.reduces else [])
    also = [x for x in backward.saved if x in forward.results]
    loaded = [*inputs, *_extra(f), *also]
    formula = f.lines(
        backward.program,
        {f"d_{g}": guard_of(Needs(Str(g))) for g in backward.gradients},
    )
    text = "\n".join(formula)
    used = [
        x for x in options if x == "reduction" or re.search(rf"\b{x}\b", text) or backward.saved
    ]
    body: list[str] = []
    seeds = [f"grad_{x}" for x in backward.seeds]
    if len(seeds) == 1:
        nothing = tuple_text(["None"] * (len(inputs) + len(options)))
        body += [f"if {seeds[0]} is None:", f"    return {nothing}"]
    body.append(f"{tuple_text(loaded)} = ctx.saved_tensors")
    if used:
        body.append(f"{tuple_text([x if x in used else '_' for x in options])} = ctx.options")
    if f.reduces:
        seed, lead = f"grad_{f.item}", f.checks.lead.name
        body += ['if reduction == "mean":', f"    {seed} = {seed} / {lead}.numel()"]
    needs = [g for g in backward.gradients if re.search(rf"\bneed_{g}\b", text)]
    if needs:
        last = max(inputs.index(g) for g in needs)
        wanted = [f"need_{x}" if x in needs else "_" for x in inputs[: last + 1]]
        body.append(f"{tuple_text(wanted)} = ctx.needs_input_grad[:{last + 1}]")
    if backward.saved:
        outputs = list(dict.fromkeys((*forward.results, *backward.saved)))
        kept = [x if x in backward.saved else "_" for x in outputs]
        given = ", ".join((*inputs, *options))
        body += [
            "if torch.is_grad_enabled():",
            "    # For a second derivative, what was kept must depend on the inputs.",
            f"    {tuple_text(kept)} = {f.autograd}.forward({given})",
        ]
    if needs:
        body.append(f"{' = '.join(f'd_{g}' for g in needs)} = None")
    if any(map(_overwrites, formula)):
        body.append("# In place only on what this backward has made itself.")
    body += formula
    gradient = {g: f"d_{g}" for g in backward.gradients}
    body.append(f"return {tuple_text([gradient.get(x, 'None') for x in (*inputs, *options)])}")
    return tuple(body)


def _overwrites(line: str) -> bool:
    return re.search(r"\.(mul|add|sub|div|scatter_add|index_add)_\(", line) is not None


def _jvp_body(f: Formula) -> Lines:
    spec = f.spec
    count = len(spec.tensors)
    outputs = dict.fromkeys((*f.compiled.forward.results, *f.compiled.backward.saved))
    real = [x for x in outputs if f.names.kinds[x] == "real" or x in f.compiled.forward.results]
    options = ", *ctx.options" if spec.parameters or f.reduces else ""
    rest = (
        f" + ({tuple_text(['None'] * (len(outputs) - len(real)))})"
        if len(outputs) > len(real)
        else ""
    )
    pick = f"[:{len(real)}]" if rest else ""
    return (
        "def formula(*inputs: Any) -> tuple[Tensor, ...]:",
        f"    return {f.autograd}.forward(*inputs{options}){pick}",
        "",
        f"return _tangents(formula, ctx.saved_tensors[:{count}], tangents[:{count}]){rest}",
    )


def tuple_text(items: Sequence[str]) -> str:
    """Items as a tuple without parentheses."""
    return f"{items[0]}," if len(items) == 1 else ", ".join(items)
