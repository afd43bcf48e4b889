"""The two function styles: the formula in a few lines, and the functional form.

In: a ``Formula``.  Out: a ``FunctionPage`` for each.

    plain:       loss = (x - y).square(); return loss.mean()
    functional:  checks; loss, *_ = apply(x, y, reduction); return loss.to(dtype)

The functional form refuses what its checks refuse; the plain function checks nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from lossgen.backends.torch_blocks import in_blocks
from lossgen.backends.torch_casts import flattened
from lossgen.backends.torch_checks import refusal_lines
from lossgen.backends.torch_formula import Formula
from lossgen.backends.torch_signatures import arguments_of
from lossgen.docs import functional_doc, plain_doc
from lossgen.page import Argument, AutogradPage, FunctionPage, docstring, signature
from lossgen.spec import Parameter, TensorArg


def functional_page(
    f: Formula,
    autograd: AutogradPage,
    elsewhere: Sequence[str] = (),
    by_rows: Sequence[str] = (),
) -> FunctionPage:
    """Validation, the ``Function``, the reduction.

    Args:
        f: the formula.
        autograd: its ``Function``.
        elsewhere: lines that may return the result before that.
        by_rows: lines that may return it where there are many pairs.
    """
    spec, item = f.spec, f.item
    arguments = arguments_of(f.compiled, spec.signature)
    inputs = ", ".join((*(t.name for t in spec.tensors), *(p.name for p in spec.parameters)))
    inner = f", {f.inner_reduction()}" if f.reduces else ""
    call = f"{', '.join(f.compiled.forward.results)}, *_ = apply({inputs}{inner})"
    body = [*_dispatch_functional(f), *f.checks.checks(f.reduction_names()), *elsewhere]
    # Half precision that the Function keeps is widened there.
    narrow = f.checks.lead.name if f.slopes() else ""
    body += [*f.checks.cast(narrow=narrow), *f.checks.layout(), ""]
    body += [
        "# torch.compile takes no Function with a forward-mode derivative.",
        "compiling = torch.compiler.is_compiling()",
        f"function = {f.autograd} if compiling else {f.autograd}WithForwardMode",
        "apply: Callable[..., tuple[Tensor, ...]] = function.apply",
    ]
    body += by_rows
    if _multiplies_matrices(autograd, f.repeats.pages):
        lead = f.checks.lead.name
        body += [
            "# The meta device has no autocast to leave.",
            f'device = "cpu" if {lead}.is_meta else {lead}.device.type',
            "with torch.autocast(device, enabled=False):",
            f"    {call}",
        ]
    else:
        body += in_blocks(f, call)
    whole = f"{item}.reshape(shape)" if f.checks.output_shape() else item
    squeezed = f.checks.unbatched_rank is not None
    body += _without_divisors_gradient(f)
    for name in f.reduction_names()[1:]:
        code = f.reduced(name, done=f.reduces)
        if code != item:
            code = f"({code})" if " " in code else code
            body += [f'if reduction == "{name}":', f"    return {code}.to(dtype)"]
    if f.reduces and (squeezed or whole != item):
        body += ['if reduction != "none":', f"    return {item}.to(dtype)"]
    if squeezed:
        body += ["if unbatched:", f"    return {whole}.squeeze(0).to(dtype)"]
    body.append(f"return {whole}.to(dtype)")
    doc = functional_doc(f.compiled, arguments) if f.public else (spec.summary,)
    return FunctionPage(f.functional, signature(arguments), docstring(doc), tuple(body))


def _without_divisors_gradient(f: Formula) -> list[str]:
    """The divisor without its gradient, unless that is somebody's: it costs small steps."""
    results = f.compiled.forward.results
    if len(results) < 2 or f.reduces:
        return []
    divisor = results[1]
    moved = f.moved_by(divisor)
    wanting = [t for t in f.spec.tensors if t.name in moved]
    if any(not t.optional for t in wanting):
        return []
    if not wanting:
        return [f"{divisor} = {divisor}.detach()"]
    test = " and ".join(f"{t.name} is None" for t in wanting)
    return [f"if {test}:", f"    {divisor} = {divisor}.detach()"]


def _multiplies_matrices(autograd: AutogradPage, called: Sequence[FunctionPage]) -> bool:
    inside = (line for x in called for line in x.body)
    text = "\n".join((*autograd.forward_body, *autograd.backward_body, *inside))
    return " @ " in text or "einsum" in text


def plain_pages(f: Formula) -> tuple[FunctionPage, ...]:
    """The formula in a few lines, its default reduction taken, and the functions that it calls."""
    arguments = _plain_arguments(f)
    lines = f.plain_lines
    body = [*_dispatch_plain(f), *_plain_prepare(f), *lines]
    value = f.reduced(f.spec.default_reduction)
    # torch declares no type for its norm.
    untyped = any("vector_norm" in line for line in lines)
    body += [f"result: Tensor = {value}", "return result"] if untyped else [f"return {value}"]
    doc = docstring(plain_doc(f.spec, arguments))
    return (FunctionPage(f.plain, signature(arguments), doc, tuple(body)), *f.repeats.values)


def _plain_arguments(f: Formula) -> list[Argument]:
    spec = f.spec
    ordered: list[TensorArg | Parameter] = [*spec.tensors, *spec.parameters]
    names = [a.name for a in ordered]
    by_name: dict[str, Argument] = {a.name: a for a in arguments_of(f.compiled, spec.signature)}
    arguments = [by_name[x] for x in names]
    arguments = [Argument(a.name, a.annotation, a.default, False, a.note) for a in arguments]
    return sorted(arguments, key=lambda a: bool(a.default))


def _plain_prepare(f: Formula) -> list[str]:
    out: list[str] = []
    lead, like = f.checks.lead.name, f.checks.like.name
    rank = f.checks.unbatched_rank
    out += f.checks.numbers()
    out += [line for t in f.spec.tensors for line in f.checks.missing_dimension(t)]
    if rank is not None:
        out += f.checks.unsqueezed(f"{lead}.ndim == {rank}")
    for t in f.spec.tensors:
        code = t.name
        if t.role.name in ("Binary", "Probabilities", "Sign") and t.name != like:
            code = f"{code}.to({like}.dtype)"
        if t.broadcast and t.axes[0].name != "e":
            code = f"{code}.expand({lead}.shape)"
        code = flattened(t, code)
        if code != t.name:
            out.append(
                f"{t.name} = None if {t.name} is None else {code}"
                if t.optional
                else f"{t.name} = {code}"
            )
    return (
        sorted(out, key=lambda line: ".expand(" not in line)
        if any(".expand(" in x for x in out)
        else out
    )


def _dispatch_plain(f: Formula) -> list[str]:
    other = f.compiled.floating
    if other is None:
        return []
    inside = {a.name for a in other.spec.arguments}
    call = ", ".join(f"{a.name}={a.name}" for a in _plain_arguments(f) if a.name in inside)
    return ["if target.is_floating_point():", f"    return _{other.spec.function_name}({call})"]


def _dispatch_functional(f: Formula) -> list[str]:
    other = f.compiled.floating
    if other is None:
        return []
    inside = {a.name for a in other.spec.arguments} | {"reduction"}
    lines = ["if target.is_floating_point():"]
    for p in f.spec.parameters:
        if p.name not in inside:
            why = f"{p.name} is for class indices; target holds class probabilities"
            text = f"{f.functional}: {why}"
            lines += [
                f"    if {p.name} != {p.default!r} and {p.name} >= 0:",
                f"        raise ValueError({text!r})",
            ]
    call = ", ".join(f"{x}={x}" for x in f.spec.signature if x in inside)
    return [
        *refusal_lines(f.spec.refused, f.functional),
        *lines,
        f"    return _{other.spec.functional_name}({call})",
    ]
