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

# What the subclass with forward-mode derivatives calls.
FORWARD_MODE = '''def _tangents(
    formula: Callable[..., tuple[Tensor, ...]],
    primals: Sequence[Any],
    tangents: Sequence[Tensor | None],
) -> tuple[Tensor, ...]:
    """Forward-mode derivative of a formula: the transpose of its linear reverse mode."""
    moving = [k for k, tangent in enumerate(tangents) if tangent is not None]

    def moved(*values: Tensor) -> tuple[Tensor, ...]:
        inputs = list(primals)
        for k, value in zip(moving, values, strict=True):
            inputs[k] = value
        return formula(*inputs)

    outputs, pull_back, *_ = torch.func.vjp(moved, *(primals[k] for k in moving))
    zeros = tuple(torch.zeros_like(x) for x in outputs)
    push_forward = torch.func.vjp(pull_back, zeros)[1]
    (result,) = push_forward(tuple(tangents[k] for k in moving))
    return tuple(result)'''


def autograd_page(f: Formula) -> AutogradPage:
    """Forward, what it keeps, and the closed-form backward."""
    spec, forward, backward = f.spec, f.compiled.forward, f.backward
    forward_body = _forward_body(f)
    arguments = [tensor_argument(t, f.checks) for t in spec.tensors]
    arguments = [
        replace(a, annotation=a.annotation.replace(" | float", ""), default="") for a in arguments
    ]
    options = [replace(parameter_argument(p), default="") for p in spec.parameters]
    if f.reduces:
        options.append(Argument("reduction", "str"))
    # One gradient comes in for each result; nothing follows the last that has one.
    seeded = max((forward.results.index(x) + 1 for x in backward.seeds), default=0)
    head = [
        *(f"grad_{x}: Tensor | None" for x in forward.results[:seeded]),
        "*unused: None",
    ]
    return AutogradPage(
        name=f.autograd,
        doc=f"What stands behind :func:`{f.functional}`: the formula and its closed-form backward.",
        forward_signature=signature([*arguments, *options]),
        forward_body=forward_body,
        setup_body=_setup_body(f),
        backward_signature=", ".join(["ctx: Any", *head]),
        backward_body=_backward_body(f),
        jvp_body=_jvp_body(f),
    )


def _forward_body(f: Formula) -> Lines:
    recorded, saved = f.backward.recorded, f.backward.saved
    results = recorded.results
    when = {x: recorded.statement(x).guard for x in saved}
    body: list[str] = []
    for x, guard in when.items():
        if guard != ALWAYS:
            # A tensor like any other, so that every transform takes it.
            body.append(f"{x} = {f.names.like}.new_empty(0)  # where the backward needs none")
    lead, slopes = f.checks.lead.name, f.slopes()
    if slopes:
        body.append(f"given, {lead} = {lead}, _widened({lead})")
    body += f.lines(
        recorded, {**when, **dict.fromkeys(results, ALWAYS)}, frozenset(results), calling=True
    )
    if slopes:
        body.append(
            f"if given.dtype != {lead}.dtype:  # to keep it would take twice what was given"
        )
        body += [f"    {x} = {x}.new_empty(0)" for x in slopes]
    whole = (*results, *_extra(f))
    if f.reduces and f.keeps_item:
        # The item itself is the result, or is kept behind it: no tensor is returned twice.
        return (
            *body,
            'if reduction == "none":',
            f"    return {tuple_text(whole, alone=True)}",
            f'total = {f.item}.mean() if reduction == "mean" else {f.item}.sum()',
            f"return total, {tuple_text(whole).removesuffix(',')}",
        )
    if f.reduces:
        body += [
            'if reduction == "mean":',
            f"    {f.item} = {f.item}.mean()",
            'elif reduction == "sum":',
            f"    {f.item} = {f.item}.sum()",
        ]
    return (*body, f"return {tuple_text(whole)}")


def _extra(f: Formula) -> tuple[str, ...]:
    """Saved values that are not results themselves."""
    return tuple(x for x in f.backward.saved if x not in f.compiled.forward.results)


def _saved(f: Formula) -> tuple[str, ...]:
    """All saved values, in the order in which they are kept."""
    results = f.compiled.forward.results
    also = tuple(x for x in f.backward.saved if x in results)
    return (*also, *_extra(f)) if f.reduces else (*_extra(f), *also)


def _setup_body(f: Formula) -> Lines:
    count, results = len(f.spec.tensors), f.compiled.forward.results
    with_options = bool(f.spec.parameters) or f.reduces
    saved = f"*inputs[:{count}]" if with_options else "*inputs"
    kept = _saved(f)
    if f.reduces and f.keeps_item:
        extra = f", *output[-{len(kept)}:]" if len(kept) > 1 else ", output[-1]"
    else:
        extra = f", *output[{len(results)}:]" if _extra(f) else ""
        extra += "".join(f", output[{results.index(x)}]" for x in kept if x in results)
    options = (f"ctx.options = inputs[{count}:]",) if with_options else ()
    return (
        *options,
        f"ctx.save_for_backward({saved}{extra})",
        f"ctx.save_for_forward({saved})",
        "ctx.set_materialize_grads(False)",
    )


def _with_second(f: Formula, lines: Sequence[str]) -> list[str]:
    """The lines, with zeros for the divisor's gradient where it is absent and they read it."""
    if len(f.backward.seeds) == 1:
        return [*lines]
    first, second = (f"grad_{x}" for x in f.backward.seeds)
    reading = [k for k, x in enumerate(lines) if re.search(rf"\b{second}\b", x)]
    if not reading:
        return [*lines]
    zeros = f"{first}.new_zeros(()).expand({f.shape(f.backward.seeds[1])})"
    absent = [f"if {second} is None:", f"    {second} = {zeros}"]
    # Where one branch alone reads it, the others need not wait for it.
    starts = [k for k, x in enumerate(lines) if not x.startswith(" ")]
    holding = {max(k for k in starts if k <= at) for at in reading}
    at = min(holding)
    if len(holding) > 1 or not lines[at].endswith(":"):
        return [*absent, *lines]
    return [*lines[: at + 1], *(f"    {x}" for x in absent), *lines[at + 1 :]]


def _backward_body(f: Formula) -> Lines:
    spec, forward, backward = f.spec, f.compiled.forward, f.backward
    inputs = [t.name for t in spec.tensors]
    kept = _saved(f)
    options = [p.name for p in spec.parameters] + (["reduction"] if f.reduces else [])
    formula = f.lines(
        backward.program,
        {f"d_{g}": guard_of(Needs(Str(g))) for g in backward.gradients},
        calling=True,
    )
    text = "\n".join(formula)
    used = [
        x for x in options if x == "reduction" or re.search(rf"\b{x}\b", text) or backward.saved
    ]
    loads = [f"{tuple_text([*inputs, *kept])} = ctx.saved_tensors"]
    if used:
        loads.append(f"{tuple_text([x if x in used else '_' for x in options])} = ctx.options")
    nothing = tuple_text(["None"] * (len(inputs) + len(options)))
    # Without a gradient for the items there is none for what divides their sum.
    body = [f"if grad_{backward.seeds[0]} is None:", f"    return {nothing}", *loads]
    if f.reduces:
        seed, lead = f"grad_{f.item}", f.checks.lead.name
        body += ['if reduction == "mean":', f"    {seed} = {seed} / {lead}.numel()"]
    needs = [g for g in backward.gradients if re.search(rf"\bneed_{g}\b", text)]
    if needs:
        last = max(inputs.index(g) for g in needs)
        wanted = [f"need_{x}" if x in needs else "_" for x in inputs[: last + 1]]
        body.append(f"{tuple_text(wanted)} = ctx.needs_input_grad[:{last + 1}]")
    lead, slopes = f.checks.lead.name, f.slopes()
    if slopes:
        body.append(f"given, {lead} = {lead}, _widened({lead})")
    if backward.saved:
        outputs = [*forward.results, *_extra(f)]
        made = [x if x in backward.saved else "_" for x in outputs]
        if f.reduces and f.keeps_item:
            made = ["*_", *kept]
        given = ", ".join((*inputs, *options))
        narrow = f" or given.dtype != {lead}.dtype" if slopes else ""
        body += [
            f"if torch.is_grad_enabled(){narrow}:",
            "    # For a second derivative, what was kept must depend on the inputs.",
            *(["    # In half precision the slope was not kept."] if slopes else []),
            f"    {tuple_text(made)} = {f.autograd}.forward({given})",
        ]
    if needs:
        body.append(f"{' = '.join(f'd_{g}' for g in needs)} = None")
    body += ["", *_with_reason(_with_second(f, formula))]
    gradient = {g: f"d_{g}" for g in backward.gradients}
    body.append(f"return {tuple_text([gradient.get(x, 'None') for x in (*inputs, *options)])}")
    return tuple(body)


def _with_reason(lines: Sequence[str]) -> list[str]:
    """The lines, the first that overwrites a value below what allows it."""
    at = next((k for k, x in enumerate(lines) if _overwrites(x)), None)
    if at is None:
        return [*lines]
    line = lines[at]
    indent = line[: len(line) - len(line.lstrip())]
    at -= lines[at - 1].lstrip().startswith("#") if at else 0  # the shape stands above the line
    reason = f"{indent}# In place only on what this backward has made itself."
    return [*lines[:at], reason, *lines[at:]]


def _overwrites(line: str) -> bool:
    """Whether a line overwrites a value, but zeros that it makes for that."""
    line = re.sub(r"new_zeros\([^()]*\)\.(scatter|index)_add_\(", "", line)
    return re.search(r"\.(mul|add|sub|div|scatter_add|index_add)_\(", line) is not None


def _jvp_body(f: Formula) -> Lines:
    spec = f.spec
    count = len(spec.tensors)
    options = ", *ctx.options" if spec.parameters or f.reduces else ""
    # Those without a derivative stand last.
    fixed = sum(f.names.kinds[x] != "real" for x in _extra(f))
    rest = f" + ({tuple_text(['None'] * fixed)})" if fixed else ""
    pick = f"[:-{fixed}]" if fixed else ""
    return (
        "def formula(*inputs: Any) -> tuple[Tensor, ...]:",
        f"    return {f.autograd}.forward(*inputs{options}){pick}",
        "",
        f"return _tangents(formula, ctx.saved_tensors[:{count}], tangents[:{count}]){rest}",
    )


def tuple_text(items: Sequence[str], *, alone: bool = False) -> str:
    """Items as a tuple; without parentheses, unless it stands ``alone`` and has one item."""
    text = f"{items[0]}," if len(items) == 1 else ", ".join(items)
    return f"({text})" if alone and len(items) == 1 else text
