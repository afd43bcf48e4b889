"""A loss as a page of PyTorch: the three styles, decided down to their lines.

In: a ``Compiled`` loss.  Out: a ``ModulePage`` of strings.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache

import sympy as sp
from sympy.core.symbol import Str

from lossgen.backends.torch_checks import TorchChecks, flattened, refusal_lines, shape_text
from lossgen.backends.torch_expressions import Expressions, Names
from lossgen.backends.torch_statements import TorchStatements
from lossgen.compiled import Compiled
from lossgen.docs import argument_note, class_doc, functional_doc, module_doc, plain_doc
from lossgen.nodes import Letter, Needs, Read, Where, is_static
from lossgen.page import (
    Argument,
    AutogradPage,
    ClassPage,
    FunctionPage,
    Lines,
    ModulePage,
    docstring,
    signature,
)
from lossgen.program import Program
from lossgen.schedule import schedule, with_guards, without_copies
from lossgen.spec import LossSpec, Parameter, TensorArg
from lossgen.static import ALWAYS, Guard, guard_of, resolutions

_HELPERS: dict[str, str] = {
    "_power_slope(": '''def _power_slope(base: Tensor, exponent: float) -> Tensor:
    """``base ** (exponent - 1)``, and where base is 0, rather than infinity, 0 (1 for exponent 1)."""
    return torch.where(base == 0, float(exponent == 1), base ** (exponent - 1))''',
    "_in_autocast(": '''def _in_autocast(device_type: str) -> bool:
    """Whether autocast is on; some devices (meta) have none."""
    available = torch.amp.autocast_mode.is_autocast_available(device_type)
    return available and torch.is_autocast_enabled(device_type)''',
    "_masked_logsumexp(": '''def _masked_logsumexp(x: Tensor, mask: Tensor, dim: int | tuple[int, ...]) -> Tensor:
    """``logsumexp`` where a mask holds; over nothing it is -inf, with gradient 0."""
    some = mask.any(dim, keepdim=True)
    kept = torch.where(mask | ~some, x, -math.inf)
    return kept.logsumexp(dim).masked_fill(~some.squeeze(dim), -math.inf)''',
    "_log_cosh(": '''def _log_cosh(x: Tensor) -> Tensor:
    """``log(cosh(x))``, exact to rounding near 0, where the usual form cancels, and far from it."""
    size = x.abs()
    near = torch.log1p(2.0 * torch.sinh(0.5 * size.clamp(max=1.0)).square())
    far = size + torch.log1p(torch.exp(-2.0 * size)) - math.log(2.0)
    return torch.where(size < 1.0, near, far)''',
    "_masked_amax(": '''def _masked_amax(x: Tensor, mask: Tensor, dim: int | tuple[int, ...]) -> Tensor:
    """The largest where a mask holds; over nothing it is -inf."""
    kept = torch.where(mask, x, -math.inf)
    # torch's own amax refuses an empty axis.
    return kept.amax(dim) if kept.numel() else kept.sum(dim) - math.inf''',
    "_masked_amin(": '''def _masked_amin(x: Tensor, mask: Tensor, dim: int | tuple[int, ...]) -> Tensor:
    """The smallest where a mask holds; over nothing it is inf."""
    kept = torch.where(mask, x, math.inf)
    # torch's own amin refuses an empty axis.
    return kept.amin(dim) if kept.numel() else kept.sum(dim) + math.inf''',
    "_broadcasts(": '''def _broadcasts(shape: torch.Size, onto: torch.Size) -> bool:
    """Whether a shape broadcasts onto another without enlarging it."""
    pairs = zip(reversed(shape), reversed(onto), strict=False)
    return len(shape) <= len(onto) and all(x in (1, y) for x, y in pairs)''',
    "_aligns(": '''def _aligns(shape: torch.Size, onto: torch.Size) -> bool:
    """Whether two shapes are equal but for at most one dimension, which is 1 in the first."""
    different = [x for x, y in zip(shape, onto, strict=False) if x != y]
    return len(shape) == len(onto) and different in ([], [1])''',
    "_common_dtype(": '''def _common_dtype(*tensors: Tensor | None) -> torch.dtype:
    """The promoted dtype of the tensors that are there."""
    dtypes = [x.dtype for x in tensors if x is not None]
    return functools.reduce(torch.promote_types, dtypes)''',
    "_INTEGERS": "_INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)",
}
_FORWARD_MODE = '''def _tangents(
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


def module_page(compiled: Compiled) -> ModulePage:
    """The page of a loss's module."""
    spec = compiled.spec
    formulas = [_Formula(compiled, public=True)]
    if compiled.floating is not None:
        formulas.append(_Formula(compiled.floating, public=False))
    functions = (*(f.plain_page() for f in formulas), *(f.functional_page() for f in formulas))
    autograd = tuple(f.autograd_page() for f in formulas)
    text = "\n".join(
        (
            *(line for f in functions for line in f.body),
            *(x for a in autograd for x in (*a.forward_body, *a.backward_body)),
        )
    )
    helpers = [body for mark, body in _HELPERS.items() if mark in text]
    reductions = ", ".join(f'"{x}"' for x in formulas[0].reduction_names())
    return ModulePage(
        doc=docstring(module_doc(spec)),
        imports=_imports("\n".join((text, *helpers))),
        exported=tuple(sorted((spec.class_name, spec.function_name, spec.functional_name))),
        reductions=reductions,
        functions=functions,
        module=_class_page(compiled),
        autograd=autograd,
        helpers=(*helpers, _FORWARD_MODE),
    )


def _class_page(compiled: Compiled) -> ClassPage:
    spec = compiled.spec
    tensors = {t.name: t for t in spec.tensors}
    arguments = _signature(compiled, spec.class_signature)
    built = [a for a in arguments if a.name in tensors]
    refused = [a.name for a in arguments if a.name in spec.refused]
    options = [a for a in arguments if a.name not in tensors and a.name not in refused]
    by_name = {a.name: a for a in _signature(compiled, spec.signature)}
    forward = [by_name[t.name] for t in spec.tensors if t.name not in {a.name for a in built}]
    forward.sort(key=lambda a: bool(a.default))
    own = {a.name for a in (*built, *options)}
    passed = [x for x in by_name if x in own or x in tensors]
    call = [f"{x}=self.{x}," if x in own else f"{x}={x}," for x in passed]
    init = ["super().__init__()", *refusal_lines(tuple(refused), spec.class_name)]
    for a in built:
        learnable = tensors[a.name].role.learnable
        init.append(
            f"self.{a.name} = nn.Parameter({a.name})"
            if learnable
            else f'self.register_buffer("{a.name}", {a.name})'
        )
    for a in options:
        annotation = ": Reduction" if a.name == "reduction" else ""
        init.append(f"self.{a.name}{annotation} = {a.name}")
    return ClassPage(
        name=spec.class_name,
        doc=docstring(class_doc(spec, arguments)),
        members=tuple(
            f"{a.name}: {a.annotation}" for a in built if not tensors[a.name].role.learnable
        ),
        init_signature=signature([Argument("self", ""), *arguments]).replace("self: ", "self", 1),
        init_body=tuple(init),
        forward_signature=signature([Argument("self", ""), *forward]).replace("self: ", "self", 1),
        forward_body=(f"return {spec.functional_name}(", *(f"    {x}" for x in call), ")"),
        representation=", ".join(_repr_items(arguments, spec, tensors)),
    )


def _repr_items(
    arguments: Sequence[Argument], spec: LossSpec, tensors: Mapping[str, TensorArg]
) -> Iterable[str]:
    for a in arguments:
        if a.name in spec.refused:
            continue
        if a.name not in tensors:
            yield f"{a.name}={{self.{a.name}!r}}"
        elif not tensors[a.name].role.learnable:
            yield f"{a.name}={{None if self.{a.name} is None else list(self.{a.name}.shape)}}"


def _imports(text: str) -> tuple[str, ...]:
    lines = ["from collections.abc import Callable, Sequence", "from typing import Any, Literal"]
    if "math." in text:
        lines.append("import math")
    if "functools." in text:
        lines.append("import functools")
    lines += ["import torch", "from torch import Tensor, nn"]
    if re.search(r"\bF\.", text):
        lines.append("import torch.nn.functional as F")
    return tuple(lines)


def _signature(compiled: Compiled, names: Sequence[str]) -> list[Argument]:
    spec = compiled.spec
    tensors = {t.name: t for t in spec.tensors}
    parameters = {
        p.name: p
        for p in (
            *spec.parameters,
            *(compiled.floating.spec.parameters if compiled.floating else ()),
        )
    }
    checks = TorchChecks(spec, spec.functional_name)
    out: list[Argument] = []
    keyword_only = False
    for name in names:
        if name == "*":
            keyword_only = True
        elif name in tensors:
            out.append(_tensor_argument(tensors[name], checks, keyword_only))
        elif name in parameters:
            out.append(_parameter_argument(parameters[name], keyword_only))
        elif name == "reduction":
            default = repr(spec.default_reduction)
            out.append(
                Argument(
                    "reduction", "Reduction", _quoted(default), keyword_only, _reduction_note(spec)
                )
            )
        else:
            out.append(Argument(name, "None", "None", keyword_only, "refused; use reduction"))
    return out


def _quoted(text: str) -> str:
    return text.replace("'", '"')


def _reduction_note(spec: LossSpec) -> str:
    over = "the sum of the weights" if spec.over is not None else "their number"
    extra = "".join(
        f', ``"{name}"`` divides the sum by the size of the first axis' for name, _ in spec.divisors
    )
    return f'``"mean"`` divides the sum of the items by {over}, ``"sum"`` adds them, ``"none"`` returns them{extra}.'


def _tensor_argument(t: TensorArg, checks: TorchChecks, keyword_only: bool) -> Argument:
    annotation = (
        "Tensor | None" if t.optional else "Tensor | float" if checks.takes_number(t) else "Tensor"
    )
    return Argument(
        t.name, annotation, "None" if t.optional else "", keyword_only, argument_note(t)
    )


def _parameter_argument(p: Parameter, keyword_only: bool) -> Argument:
    kind = "bool" if p.role.kind == "boolean" else "int" if p.role.kind == "integer" else "float"
    default = "" if p.default is None else repr(p.default)
    if default in ("inf", "-inf"):
        default = f"math.{default}" if default == "inf" else "-math.inf"
    elif kind == "float" and default:
        default = repr(float(p.default or 0.0))
    return Argument(p.name, kind, default, keyword_only, p.role.domain)


class _Formula:
    """One formula's functions."""

    def __init__(self, compiled: Compiled, *, public: bool) -> None:
        self.compiled, self.spec, self.public = compiled, compiled.spec, public
        prefix = "" if public else "_"
        self.functional = f"{prefix}{self.spec.functional_name}"
        self.plain = f"{prefix}{self.spec.function_name}"
        self.autograd = f"_{self.spec.class_name.removesuffix('Loss')}"
        self.item = compiled.forward.results[0]
        self.names = names_for(compiled.forward, self.spec)
        self.checks = TorchChecks(
            self.spec, self.spec.functional_name if public else compiled.public_name
        )
        # Where an item is as large as the input, the Function takes the mean or sum itself: its
        # gradient then comes in as one number, and scaling it costs no pass over the elements.
        self.reduces = self.item not in compiled.backward.saved and scales_alone(compiled)

    # --- the functional form ------------------------------------------------------------------

    def functional_page(self) -> FunctionPage:
        """Validation, the ``Function``, the reduction."""
        spec, item = self.spec, self.item
        arguments = _signature(self.compiled, spec.signature)
        inputs = ", ".join((*(t.name for t in spec.tensors), *(p.name for p in spec.parameters)))
        inner = f", {self._inner_reduction()}" if self.reduces else ""
        call = f"{', '.join(self.compiled.forward.results)}, *_ = apply({inputs}{inner})"
        body = [*self._dispatch_functional(), *self.checks.lines(self.reduction_names()), ""]
        body += [
            "# torch.compile takes no Function with a forward-mode derivative.",
            "compiling = torch.compiler.is_compiling()",
            f"function = {self.autograd} if compiling else {self.autograd}WithForwardMode",
            "apply: Callable[..., tuple[Tensor, ...]] = function.apply",
        ]
        if self._multiplies_matrices():
            lead = self.checks.lead.name
            body += [f"with torch.autocast({lead}.device.type, enabled=False):", f"    {call}"]
        else:
            body.append(call)
        whole = f"{item}.reshape(shape)" if self.checks.output_shape() else item
        squeezed = self.checks.unbatched_rank is not None
        for name in self.reduction_names()[1:]:
            code = self._reduced(name, done=self.reduces)
            if code != item:
                code = f"({code})" if " " in code else code
                body += [f'if reduction == "{name}":', f"    return {code}.to(dtype)"]
        if self.reduces and (squeezed or whole != item):
            body += ['if reduction != "none":', f"    return {item}.to(dtype)"]
        if squeezed:
            body += ["if unbatched:", f"    return {whole}.squeeze(0).to(dtype)"]
        body.append(f"return {whole}.to(dtype)")
        doc = functional_doc(self.compiled, arguments) if self.public else (spec.summary,)
        return FunctionPage(self.functional, signature(arguments), docstring(doc), tuple(body))

    def _inner_reduction(self) -> str:
        """What the Function itself is asked for."""
        weighted = self._unit_divisor()
        if weighted is not None:
            given = Expressions(self.names, (), {}).code(weighted)
            return f'"sum" if reduction == "mean" and {given} else reduction'
        if self.spec.divisors:
            named = ", ".join(f'"{k}"' for k, _ in self.spec.divisors)
            test = f"reduction == {named}" if len(self.spec.divisors) == 1 else f"reduction in ({named})"
            return f'"sum" if {test} else reduction'
        return "reduction"

    def _multiplies_matrices(self) -> bool:
        text = "\n".join((*self.autograd_page().forward_body, *self.autograd_page().backward_body))
        return " @ " in text or "einsum" in text

    # --- the autograd.Function ----------------------------------------------------------------

    @cache
    def autograd_page(self) -> AutogradPage:
        """Forward, what it keeps, and the closed-form backward."""
        spec, forward, backward = self.spec, self.compiled.forward, self.compiled.backward
        roots = dict.fromkeys((*forward.results, *backward.saved), ALWAYS)
        outputs = tuple(dict.fromkeys((*forward.results, *backward.saved)))
        forward_body = self._lines(forward, roots, frozenset(forward.results))
        arguments = [_tensor_argument(t, self.checks, False) for t in spec.tensors]
        arguments = [
            replace(a, annotation=a.annotation.replace(" | float", ""), default="")
            for a in arguments
        ]
        options = [replace(_parameter_argument(p, False), default="") for p in spec.parameters]
        if self.reduces:
            options.append(Argument("reduction", "str"))
            forward_body += [
                'if reduction == "mean":',
                f"    {self.item} = {self.item}.mean()",
                'elif reduction == "sum":',
                f"    {self.item} = {self.item}.sum()",
            ]
        absent = " | None" if len(backward.seeds) == 1 else ""
        head = [
            *(f"grad_{x}: Tensor{absent}" for x in forward.results[: self._seed_count()]),
            "*unused: None",
        ]
        return AutogradPage(
            name=self.autograd,
            doc=f"What stands behind :func:`{self.functional}`: the formula and its closed-form backward.",
            forward_signature=signature([*arguments, *options]),
            forward_body=(*forward_body, f"return {tuple_text(outputs)}"),
            setup_body=self._setup_body(len(forward.results)),
            backward_signature=", ".join(["ctx: Any", *head]),
            backward_body=self._backward_body(),
            jvp_body=self._jvp_body(),
        )

    def _seed_count(self) -> int:
        """How many gradients the backward names: up to the last result that has one."""
        results, seeds = self.compiled.forward.results, self.compiled.backward.seeds
        return max((k + 1 for k, r in enumerate(results) if r in seeds), default=0)

    def _extra(self) -> tuple[str, ...]:
        """Saved values that are not results themselves."""
        return tuple(
            x for x in self.compiled.backward.saved if x not in self.compiled.forward.results
        )

    def _setup_body(self, results: int) -> Lines:
        count = len(self.spec.tensors)
        with_options = bool(self.spec.parameters) or self.reduces
        saved = f"*inputs[:{count}]" if with_options else "*inputs"
        extra = f", *output[{results}:]" if self._extra() else ""
        also = [x for x in self.compiled.backward.saved if x in self.compiled.forward.results]
        extra += "".join(f", output[{self.compiled.forward.results.index(x)}]" for x in also)
        options = (f"ctx.options = inputs[{count}:]",) if with_options else ()
        return (
            *options,
            f"ctx.save_for_backward({saved}{extra})",
            f"ctx.save_for_forward({saved})",
            # With two results, autograd's own zeros stand for the gradient that is absent.
            *(["ctx.set_materialize_grads(False)"] if len(self.compiled.backward.seeds) == 1 else []),
        )

    def _backward_body(self) -> Lines:
        spec, forward, backward = self.spec, self.compiled.forward, self.compiled.backward
        inputs = [t.name for t in spec.tensors]
        options = [p.name for p in spec.parameters] + (["reduction"] if self.reduces else [])
        also = [x for x in backward.saved if x in forward.results]
        loaded = [*inputs, *self._extra(), *also]
        formula = self._lines(
            backward.program,
            {f"d_{g}": guard_of(Needs(Str(g))) for g in backward.gradients},
            frozenset(),
        )
        text = "\n".join(formula)
        used = [
            x
            for x in options
            if x == "reduction" or re.search(rf"\b{x}\b", text) or backward.saved
        ]
        body: list[str] = []
        seeds = [f"grad_{x}" for x in backward.seeds]
        if len(seeds) == 1:
            nothing = tuple_text(["None"] * (len(inputs) + len(options)))
            body += [f"if {seeds[0]} is None:", f"    return {nothing}"]
        body.append(f"{tuple_text(loaded)} = ctx.saved_tensors")
        if used:
            body.append(f"{tuple_text([x if x in used else '_' for x in options])} = ctx.options")
        if self.reduces:
            seed, lead = f"grad_{self.item}", self.checks.lead.name
            body += ['if reduction == "mean":', f"    {seed} = {seed} / {lead}.numel()"]
        needs = [g for g in backward.gradients if re.search(rf"\bneed_{g}\b", text)]
        if needs:
            last = max(inputs.index(g) for g in needs)
            wanted = [f"need_{x}" if x in needs else "_" for x in inputs[: last + 1]]
            body.append(f"{tuple_text(wanted)} = ctx.needs_input_grad[:{last + 1}]")
        if backward.saved:
            outputs = list(dict.fromkeys((*forward.results, *backward.saved)))
            kept = [x if x in backward.saved else "_" for x in outputs]
            body += [
                "if torch.is_grad_enabled():",
                "    # For a second derivative, what was kept must depend on the inputs.",
                f"    {tuple_text(kept)} = {self.autograd}.forward({', '.join((*inputs, *options))})",
            ]
        if needs:
            body.append(f"{' = '.join(f'd_{g}' for g in needs)} = None")
        body += formula
        gradient = {g: f"d_{g}" for g in backward.gradients}
        body.append(f"return {tuple_text([gradient.get(x, 'None') for x in (*inputs, *options)])}")
        return tuple(body)

    def _jvp_body(self) -> Lines:
        spec = self.spec
        count = len(spec.tensors)
        outputs = dict.fromkeys((*self.compiled.forward.results, *self.compiled.backward.saved))
        real = [
            x
            for x in outputs
            if self.names.kinds[x] == "real" or x in self.compiled.forward.results
        ]
        options = ", *ctx.options" if spec.parameters or self.reduces else ""
        rest = (
            f" + ({tuple_text(['None'] * (len(outputs) - len(real)))})"
            if len(outputs) > len(real)
            else ""
        )
        pick = f"[:{len(real)}]" if rest else ""
        return (
            "def formula(*inputs: Any) -> tuple[Tensor, ...]:",
            f"    return {self.autograd}.forward(*inputs{options}){pick}",
            "",
            f"return _tangents(formula, ctx.saved_tensors[:{count}], tangents[:{count}]){rest}",
        )

    def reduction_names(self) -> tuple[str, ...]:
        """The reductions the functional form knows."""
        return ("none", "mean", "sum", *(k for k, _ in self.spec.divisors))

    def _lines(
        self, program: Program, roots: Mapping[str, object], full: frozenset[str]
    ) -> list[str]:
        names = names_for(program, self.spec)
        if self.reduces:
            names = replace(names, numbers=frozenset(f"grad_{r}" for r in self.compiled.forward.results[:1]))
        unused = self.compiled.forward.results[1:] if self._unit_divisor() is not None else ()
        printer = TorchStatements(program, names, full, frozenset(unused))
        blocks = schedule(with_guards(program, roots))  # type: ignore[arg-type]
        return printer.lines(without_copies(blocks, frozenset(roots)))

    def _reduced(self, reduction: str, *, done: bool = False) -> str:
        """The code of a reduction; ``done`` if the Function has summed already."""
        item, *rest = self.compiled.forward.results
        divisor = rest[0] if rest else None
        if done:
            names = Expressions(self.names, (), {})
            if reduction == "mean" and (unit := self._unit_divisor()) is not None:
                return f"{item} if {names.opposite(unit)} else {item} / {divisor}.sum()"
            if reduction in ("mean", "sum"):
                return item
            return f"{item} / {names.operand(dict(self.spec.divisors)[reduction])}"
        if reduction == "none":
            return item
        if reduction == "sum":
            return f"{item}.sum()"
        if reduction == "mean":
            if divisor is None:
                return f"{item}.mean()"
            weighted = f"{item}.sum() / {divisor}.sum()"
            if (unit := self._unit_divisor()) is not None:
                return f"{item}.mean() if {Expressions(self.names, (), {}).opposite(unit)} else {weighted}"
            return weighted
        expr = dict(self.spec.divisors)[reduction]
        names = names_for(self.compiled.forward, self.spec)
        return f"{item}.sum() / {Expressions(names, (), {}).operand(expr)}"

    # --- the plain function -----------------------------------------------------------------

    def plain_page(self) -> FunctionPage:
        """The formula in a few lines, its default reduction taken."""
        forward = self.compiled.forward
        arguments = self._plain_arguments()
        roots: dict[str, Guard] = dict.fromkeys(forward.results, ALWAYS)
        if (unit := self._unit_divisor()) is not None:
            roots[forward.results[-1]] = guard_of(unit)
        lines = self._lines(forward, roots, frozenset())
        body = [*self._dispatch_plain(), *self._plain_prepare(), *lines]
        value = self._reduced(self.spec.default_reduction)
        # torch declares no type for its norm.
        untyped = any("vector_norm" in line for line in lines)
        body += [f"result: Tensor = {value}", "return result"] if untyped else [f"return {value}"]
        return FunctionPage(
            self.plain, signature(arguments), docstring(plain_doc(self.spec, arguments)), tuple(body)
        )

    def _unit_divisor(self) -> sp.Basic | None:
        """The condition without which the mean divides by the count."""
        forward = self.compiled.forward
        if len(forward.results) == 2 and _divides_by_one(forward):
            return forward.statement(forward.results[-1]).body.args[0]
        return None

    def _plain_arguments(self) -> list[Argument]:
        spec = self.spec
        ordered: list[TensorArg | Parameter] = [*spec.tensors, *spec.parameters]
        names = [a.name for a in ordered]
        by_name: dict[str, Argument] = {
            a.name: a for a in _signature(self.compiled, spec.signature)
        }
        arguments = [by_name[x] for x in names]
        arguments = [Argument(a.name, a.annotation, a.default, False, a.note) for a in arguments]
        return sorted(arguments, key=lambda a: bool(a.default))

    def _plain_prepare(self) -> list[str]:
        out: list[str] = []
        lead = self.checks.lead.name
        rank = self.checks.unbatched_rank
        out += self.checks._numbers()
        out += [line for t in self.spec.tensors for line in self.checks.missing_dimension(t)]
        if rank is not None:
            out += self.checks._unsqueezed(f"{lead}.ndim == {rank}")
        for t in self.spec.tensors:
            code = t.name
            if t.role.name in ("Binary", "Probabilities", "Sign") and t.name != lead:
                code = f"{code}.to({lead}.dtype)"
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

    # --- a formula chosen by the target's dtype -----------------------------------------------

    def _dispatch_plain(self) -> list[str]:
        other = self.compiled.floating
        if other is None:
            return []
        inside = {a.name for a in (*other.spec.tensors, *other.spec.parameters)}
        call = ", ".join(f"{a.name}={a.name}" for a in self._plain_arguments() if a.name in inside)
        return ["if target.is_floating_point():", f"    return _{other.spec.function_name}({call})"]

    def _dispatch_functional(self) -> list[str]:
        other = self.compiled.floating
        if other is None:
            return []
        inside = {a.name for a in (*other.spec.tensors, *other.spec.parameters)} | {"reduction"}
        lines = ["if target.is_floating_point():"]
        for p in self.spec.parameters:
            if p.name not in inside:
                text = f"{self.functional}: {p.name} is for class indices; target holds class probabilities"
                lines += [
                    f"    if {p.name} != {p.default!r} and {p.name} >= 0:",
                    f"        raise ValueError({text!r})",
                ]
        call = ", ".join(f"{x}={x}" for x in self.spec.signature if x in inside)
        return [
            *refusal_lines(self.spec.refused, self.functional),
            *lines,
            f"    return _{other.spec.functional_name}({call})",
        ]


def scales_alone(compiled: Compiled) -> bool:
    """Whether the incoming gradient may be one number in place of one for each item.

    It may where items are as large as the largest input and each gradient has the input's shape
    through what it reads besides.
    """
    forward, backward = compiled.forward, compiled.backward
    item = forward.statement(forward.results[0])
    largest = max((a.axes for a in forward.inputs), key=len)
    weighted = len(forward.results) == 2 and forward.results[1] in backward.seeds
    unit = len(forward.results) == 1 or _divides_by_one(forward)
    if {*item.free} != {*largest} or not unit or len(backward.seeds) > 1 + weighted:
        return False
    thin = {f"grad_{x}" for x in backward.seeds}
    for x in backward.program.statements:
        if not x.reads() & thin:
            continue
        if x.op != "map":
            return False
        if not all(b == 0 or _spans(b, {*item.free}, thin) for b in resolutions(x.body)):
            thin.add(x.name)
    return not thin & {*backward.program.results}


def _spans(body: sp.Basic, letters: set[Letter], thin: set[str]) -> bool:
    """Whether something in a body, thin arrays apart, has all the letters."""
    if isinstance(body, Read):
        return body.name not in thin and {*body.subscripts} >= letters
    return any(_spans(a, letters, thin) for a in body.args)


def _divides_by_one(forward: Program) -> bool:
    body = forward.statement(forward.results[-1]).body
    return isinstance(body, Where) and is_static(body.args[0]) and body.args[2] == 1


def tuple_text(items: Sequence[str]) -> str:
    """Items as a tuple without parentheses."""
    return f"{items[0]}," if len(items) == 1 else ", ".join(items)


def names_for(program: Program, spec: LossSpec) -> Names:
    """Where a program's arrays and sizes are to be found."""
    sizes: dict[Letter, str] = {}
    lead = TorchChecks(spec, "").lead
    for t in (lead, *(t for t in spec.tensors if not t.optional)):
        for place, axis in enumerate(t.axes):
            whole = axis.name == "e"
            sizes.setdefault(axis, f"{t.name}.numel()" if whole else f"{t.name}.shape[{place}]")
    arrays = {a.name: (a.axes, a.extents) for a in program.inputs}
    kinds = {a.name: a.kind for a in program.inputs}
    for x in program.statements:
        arrays[x.name] = (x.free, {k: v for k, v in x.extents.items() if k in x.free})
        kinds[x.name] = x.kind
    return Names(arrays, kinds, sizes, program.axes, lead.name)


__all__ = ["module_page", "shape_text", "sp"]
