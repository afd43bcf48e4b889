"""A loss and its gradients as one pure function, for ``torch.compile`` to fuse.

In: a ``Formula``.  Out: three ``FunctionPage``s and the line that has them compiled.

    _dice_items      input, target → loss, and what the gradients read again
    _dice_gradients  grad_loss, input, target, … → d_input, d_target
    _dice_together   casts, both of these, the reduction between them

The last is one text with three uses, told apart by what is absent: the value alone (no upstream
gradient), value and gradients at once, and the gradients after a value (what was kept is given).
It refuses nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from sympy.core.symbol import Str

from lossgen.backends.compile_program import Split, split
from lossgen.backends.torch_autograd import tuple_text
from lossgen.backends.torch_formula import Formula
from lossgen.backends.torch_signatures import parameter_argument, tensor_argument
from lossgen.nodes import Needs
from lossgen.page import Argument, FunctionPage, Lines, docstring, signature
from lossgen.static import ALWAYS, guard_of

# What the functions call their own arguments and values.
_OWN = ("upstream", "known", "wanted", "value", "count", "share")
_SEVERAL = "tuple[Tensor, ...]"
_MAYBE = "tuple[Tensor | None, ...]"


@dataclass(frozen=True, slots=True)
class Together:
    """What the compiled form of one formula adds to a module.

    Attributes:
        functions: the pure functions.
        dispatch: lines of the functional form that hand over to them.
        compiled: the line that names their compiled form.
    """

    functions: tuple[FunctionPage, ...]
    dispatch: Lines
    compiled: str


def together(f: Formula) -> Together:
    """The compiled form of a formula."""
    parts, stem = split(f.compiled), f"_{f.plain.removeprefix('_')}"
    functions = (_items(f, parts, stem), _gradients(f, parts, stem), _together(f, parts, stem))
    name = f"{stem}_compiled"
    tensors = ", ".join(f'"{t.name}": {t.name}' for t in f.spec.tensors)
    options = ", ".join(f'"{p.name}": {p.name}' for p in f.spec.parameters)
    call = f"{name}(reduction, dtype, {{{tensors}}}, {{{options}}})"
    dispatch = [
        "# Inside somebody's torch.compile that compiler fuses; transforms need the Function.",
        f"if not torch.compiler.is_compiling() and {name}.takes("
        f"{', '.join(t.name for t in f.spec.tensors)}):",
    ]
    if f.checks.unbatched_rank is not None:
        dispatch += [
            f"    {f.item} = {call}",
            f'    return {f.item}.squeeze(0) if unbatched and reduction == "none" else {f.item}',
        ]
    else:
        dispatch.append(f"    return {call}")
    compiled = f"{name} = _Together({stem}_together, {f.functional})"
    return Together(functions, tuple(dispatch), compiled)


def _own(f: Formula) -> dict[str, str]:
    """The functions' own names, where an argument of the loss has one with a mark."""
    taken = {t.name for t in f.spec.tensors} | {p.name for p in f.spec.parameters}
    return {x: f"{x}_" if x in taken else x for x in _OWN}


def _arguments(f: Formula) -> list[Argument]:
    """The tensors and the options, all of them there."""
    tensors = [tensor_argument(t, f.checks) for t in f.spec.tensors]
    tensors = [replace(a, annotation=a.annotation.replace(" | float", "")) for a in tensors]
    options = [parameter_argument(p) for p in f.spec.parameters]
    return [replace(a, default="") for a in (*tensors, *options)]


def _items(f: Formula, parts: Split, stem: str) -> FunctionPage:
    forward = f.compiled.forward
    outputs = (*forward.results, *parts.extra)
    roots = dict.fromkeys(outputs, ALWAYS)
    lines = f.lines(parts.forward, roots, frozenset(forward.results), fusing=True)
    return FunctionPage(
        f"{stem}_items",
        signature(_arguments(f)),
        docstring(["The unreduced loss, and what its gradients read again."]),
        (*lines, f"return {tuple_text(outputs)}"),
        _SEVERAL,
    )


def _gradients(f: Formula, parts: Split, stem: str) -> FunctionPage:
    backward = f.compiled.backward
    roots = {f"d_{g}": guard_of(Needs(Str(g))) for g in backward.gradients}
    lines = f.lines(parts.gradients, roots, fusing=True)
    text, own = "\n".join(lines), _own(f)
    needs = [g for g in backward.gradients if re.search(rf"\bneed_{g}\b", text)]
    body: list[str] = []
    if needs:
        wanted = [f"need_{t.name}" if t.name in needs else "_" for t in f.spec.tensors]
        body += [
            f"{tuple_text(wanted)} = {own['wanted']}",
            f"{' = '.join(f'd_{g}' for g in needs)} = None",
        ]
    results = [f"d_{g}" for g in backward.gradients]
    arguments = [
        Argument(own["wanted"], "tuple[bool, ...]"),
        *(Argument(f"grad_{x}", "Tensor") for x in backward.seeds),
        *(Argument(x, "Tensor") for x in parts.kept),
        *_arguments(f),
    ]
    return FunctionPage(
        f"{stem}_gradients",
        signature(arguments),
        docstring(["The gradients that are wanted."]),
        (*body, *lines, f"return {tuple_text(results)}"),
        _MAYBE,
    )


def _together(f: Formula, parts: Split, stem: str) -> FunctionPage:
    spec, forward, backward = f.spec, f.compiled.forward, f.compiled.backward
    inputs = [a.name for a in _arguments(f)]
    weighted = len(forward.results) == 2
    own = _own(f)
    upstream, known, wanted, value, count, share = (own[x] for x in _OWN)
    shapes = _given(f)
    kept = [*((share, count) if weighted else ()), *parts.kept]
    incoming = [
        f"{upstream} = {upstream}.to(compute) / {count}",
        f'grad_{f.item} = {upstream}.reshape({f.item}.shape) if reduction == "none" '
        f"else _written({upstream}).expand({f.item}.shape)",
    ]
    if weighted and forward.results[1] in backward.seeds:
        over = forward.results[1]
        incoming.append(
            f'grad_{over} = (-{share} * {upstream}).expand({over}.shape) if reduction == "mean" '
            f"else torch.zeros_like({over})"
        )
    seeds = [f"grad_{x}" for x in backward.seeds]
    results = [f"d_{g}" for g in backward.gradients]
    body = [
        "compute = torch.promote_types(dtype, torch.float32)",
        *(f"given_{x} = {x}" for x in shapes),
        *f.checks.cast(),
        *f.checks.layout(),
        f"{tuple_text([*forward.results, *parts.extra])} = {stem}_items({', '.join(inputs)})",
        *_reduction(f, weighted, own),
        f"if {upstream} is None:",
        f"    return {tuple_text([*kept, f'{value}.to(dtype)'])}",
        *([] if not kept else [f"if {known} is not None:", f"    {tuple_text(kept)} = {known}"]),
        *incoming,
        f"{tuple_text(results)} = {stem}_gradients("
        f"{', '.join([wanted, *seeds, *parts.kept, *inputs])})",
        "# The sum joins the loop of what is returned before it, and of nothing that comes after.",
        "return (",
        *(f"    {_returned(f, t.name)}," for t in spec.tensors),
        f"    {value}.to(dtype) if {known} is None else None,",
        ")",
    ]
    arguments = [
        Argument(upstream, "Tensor | None"),
        Argument(known, f"{_SEVERAL} | None"),
        Argument(wanted, "tuple[bool, ...]"),
        Argument("reduction", "str"),
        Argument("dtype", "torch.dtype"),
        *_arguments(f),
    ]
    doc = [
        "The loss and its gradients, as one function to compile.",
        "",
        "Without an upstream gradient it gives what the gradients read again and the loss; with",
        "these, the gradients alone.",
    ]
    return FunctionPage(
        f"{stem}_together", signature(arguments), docstring(doc), tuple(body), _MAYBE
    )


def _given(f: Formula) -> list[str]:
    """The tensors whose shape or dtype a gradient is given back."""
    gradients = f.compiled.backward.gradients
    broadcast = any(t.broadcast and t.name in gradients for t in f.spec.tensors)
    lead = f.checks.lead.name
    return [t.name for t in f.spec.tensors if t.name in gradients or (broadcast and t.name == lead)]


def _returned(f: Formula, name: str) -> str:
    if name not in f.compiled.backward.gradients:
        return "None"
    t = next(t for t in f.spec.tensors if t.name == name)
    laid_out = f", given_{f.checks.lead.name}" if t.broadcast else ""
    return f"_as_given(d_{name}, given_{name}{laid_out})"


def _reduction(f: Formula, weighted: bool, own: dict[str, str]) -> list[str]:
    """Lines for the value, and for what the upstream gradient is divided by."""
    item, value, count, share = f.item, own["value"], own["count"], own["share"]
    whole = f"{item}.reshape(shape)" if f.checks.output_shape() else item
    cases: list[tuple[str, str, str]] = []
    plain = (f"{item}.mean()", f"{item}.numel()")
    mean = 'reduction == "mean"'
    if not weighted:
        cases.append((mean, *plain))
    elif (unit := f.unit_divisor()) is not None:
        cases.append((f"{mean} and {f.options.opposite(unit)}", *plain))
    cases.append(('reduction == "sum"', f"{item}.sum()", "1"))
    for name, expr in f.spec.divisors:
        size = f.options.operand(expr)
        cases.append((f'reduction == "{name}"', f"{item}.sum() / {size}", size))
    out: list[str] = []
    if weighted:
        over = f.compiled.forward.results[1]
        # Tensors, as they may be kept.
        cases = [(test, code, f"{item}.new_full((), {by})") for test, code, by in cases]
        out.append(f"{share} = {item}.new_zeros(())")
        last = f"{item}.new_ones(())"
        cases.append((mean, f"{item}.sum() / {over}.sum()", f"{over}.sum()"))
    else:
        last = "1"
    word = "if"
    for test, code, by in cases:
        out += [f"{word} {test}:", f"    {value}, {count} = {code}, {by}"]
        word = "elif"
    if weighted:
        out.append(f"    {share} = {value}")
    return [*out, "else:", f"    {value}, {count} = {whole}, {last}"]
