"""The arguments of the public functions: annotation, default and a note for the docstring.

In: a ``Compiled`` loss and argument names, ``*`` among them.  Out: ``Argument``s in that order.

    ("input", "*", "margin")  →  input: Tensor, *, margin: float = 1.0

It refuses nothing: a name of neither a tensor nor an option is one that torch gave up.
"""

from __future__ import annotations

from collections.abc import Sequence

from lossgen.backends.torch_tensors import Tensors
from lossgen.compiled import Compiled
from lossgen.docs import argument_note
from lossgen.page import Argument
from lossgen.spec import LossSpec, Parameter, TensorArg


def arguments_of(compiled: Compiled, names: Sequence[str]) -> list[Argument]:
    """The arguments of those names."""
    spec = compiled.spec
    tensors = {t.name: t for t in spec.tensors}
    parameters = {
        p.name: p
        for p in (
            *spec.parameters,
            *(compiled.floating.spec.parameters if compiled.floating else ()),
        )
    }
    checks = Tensors(spec, spec.functional_name)
    out: list[Argument] = []
    keyword_only = False
    for name in names:
        if name == "*":
            keyword_only = True
        elif name in tensors:
            out.append(tensor_argument(tensors[name], checks, keyword_only))
        elif name in parameters:
            out.append(parameter_argument(parameters[name], keyword_only))
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
    mean = f'``"mean"`` divides the sum of the items by {over}'
    return f'{mean}, ``"sum"`` adds them, ``"none"`` returns them{extra}.'


def tensor_argument(t: TensorArg, checks: Tensors, keyword_only: bool = False) -> Argument:
    """A tensor as an argument."""
    annotation = (
        "Tensor | None" if t.optional else "Tensor | float" if checks.takes_number(t) else "Tensor"
    )
    return Argument(
        t.name, annotation, "None" if t.optional else "", keyword_only, argument_note(t)
    )


def parameter_argument(p: Parameter, keyword_only: bool = False) -> Argument:
    """An option as an argument."""
    kind = "bool" if p.role.kind == "boolean" else "int" if p.role.kind == "integer" else "float"
    default = "" if p.default is None else repr(p.default)
    if default in ("inf", "-inf"):
        default = f"math.{default}" if default == "inf" else "-math.inf"
    elif kind == "float" and default:
        default = repr(float(p.default or 0.0))
    return Argument(p.name, kind, default, keyword_only, p.role.domain)
