"""A loss as a page of PyTorch: the three styles, decided down to their lines.

In: a ``Compiled`` loss.  Out: a ``ModulePage`` of strings, for the templates to lay out.

    loss[e] = (x[e] - y[e])**2  →  a plain function, a functional form, a class, a Function

It refuses nothing itself; a node without a PyTorch form raises ``NotImplementedError``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from lossgen.backends.torch_autograd import FORWARD_MODE, autograd_page
from lossgen.backends.torch_class import class_page
from lossgen.backends.torch_formula import Formula
from lossgen.backends.torch_function import functional_page, plain_pages
from lossgen.backends.torch_helpers import needed
from lossgen.backends.torch_rows import by_rows
from lossgen.compiled import Compiled
from lossgen.docs import module_doc
from lossgen.page import AutogradPage, FunctionPage, ModulePage, docstring


def module_page(compiled: Compiled) -> ModulePage:
    """The page of a loss's module."""
    formulas = formulas_of(compiled)
    autograd = tuple(map(autograd_page, formulas))
    rows = [by_rows(f) for f in formulas]
    functionals = tuple(
        functional_page(f, a, by_rows=r.call if r else ())
        for f, a, r in zip(formulas, autograd, rows, strict=True)
    )
    inner = tuple(r.page for r in rows if r)
    return assembled(compiled, formulas, autograd, functionals, inner)


def formulas_of(compiled: Compiled) -> list[Formula]:
    """The formula of a loss, and that for a floating-point target where it has one."""
    formulas = [Formula(compiled, public=True)]
    if compiled.floating is not None:
        formulas.append(Formula(compiled.floating, public=False))
    return formulas


def assembled(
    compiled: Compiled,
    formulas: Sequence[Formula],
    autograd: tuple[AutogradPage, ...],
    functionals: tuple[FunctionPage, ...],
    inner: tuple[FunctionPage, ...] = (),
    last: tuple[str, ...] = (),
) -> ModulePage:
    """A module around its functional forms.

    Args:
        compiled: the loss.
        formulas: its formulas.
        autograd: the ``Function`` of each.
        functionals: the functional form of each.
        inner: functions that these call besides.
        last: what stands at the end, as text.
    """
    spec = compiled.spec
    functions = (*(x for f in formulas for x in plain_pages(f)), *functionals)
    inner = (*(x for f in formulas for x in f.repeats.gradients), *inner)
    text = "\n".join(
        (
            *(line for f in (*functions, *inner) for line in f.body),
            *(x for a in autograd for x in (*a.forward_body, *a.backward_body)),
        )
    )
    helpers = needed("\n".join((text, *last)))
    reductions = ", ".join(f'"{x}"' for x in formulas[0].reduction_names())
    return ModulePage(
        doc=docstring(module_doc(spec)),
        imports=_imports("\n".join((text, *helpers, *last))),
        exported=tuple(sorted((spec.class_name, spec.function_name, spec.functional_name))),
        reductions=reductions,
        functions=functions,
        module=class_page(compiled),
        autograd=autograd,
        helpers=(*helpers, FORWARD_MODE, *last),
        inner=inner,
    )


def _imports(text: str) -> tuple[str, ...]:
    also = ", Iterator" * ("Iterator[" in text)
    lines = [f"from collections.abc import Callable{also}, Sequence"]
    lines.append(f"from typing import Any, Literal{', NamedTuple' * ('(NamedTuple)' in text)}")
    # Their names may also end a word or a sentence of a docstring.
    modules = ("types", "math", "functools")
    lines += [f"import {x}" for x in modules if re.search(rf"(?<![\w.]){x}\.\w", text)]
    lines += ["import torch", "from torch import Tensor, nn"]
    if "forward_ad." in text:
        lines.append("from torch.autograd import forward_ad")
    if re.search(r"\bF\.", text):
        lines.append("import torch.nn.functional as F")
    return tuple(lines)
