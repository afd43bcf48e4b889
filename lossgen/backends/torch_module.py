"""A loss as a page of PyTorch: the three styles, decided down to their lines.

In: a ``Compiled`` loss.  Out: a ``ModulePage`` of strings, for the templates to lay out.

    loss[e] = (x[e] - y[e])**2  →  a plain function, a functional form, a class, a Function

It refuses nothing itself; a node without a PyTorch form raises ``NotImplementedError``.
"""

from __future__ import annotations

import re

from lossgen.backends.torch_autograd import autograd_page
from lossgen.backends.torch_class import class_page
from lossgen.backends.torch_formula import Formula
from lossgen.backends.torch_function import functional_page, plain_page
from lossgen.backends.torch_helpers import FORWARD_MODE, needed
from lossgen.compiled import Compiled
from lossgen.docs import module_doc
from lossgen.page import ModulePage, docstring


def module_page(compiled: Compiled) -> ModulePage:
    """The page of a loss's module."""
    spec = compiled.spec
    formulas = [Formula(compiled, public=True)]
    if compiled.floating is not None:
        formulas.append(Formula(compiled.floating, public=False))
    autograd = tuple(map(autograd_page, formulas))
    functions = (*map(plain_page, formulas), *map(functional_page, formulas, autograd))
    text = "\n".join(
        (
            *(line for f in functions for line in f.body),
            *(x for a in autograd for x in (*a.forward_body, *a.backward_body)),
        )
    )
    helpers = needed(text)
    reductions = ", ".join(f'"{x}"' for x in formulas[0].reduction_names())
    return ModulePage(
        doc=docstring(module_doc(spec)),
        imports=_imports("\n".join((text, *helpers))),
        exported=tuple(sorted((spec.class_name, spec.function_name, spec.functional_name))),
        reductions=reductions,
        functions=functions,
        module=class_page(compiled),
        autograd=autograd,
        helpers=(*helpers, FORWARD_MODE),
    )


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
