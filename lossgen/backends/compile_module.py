"""The ``compile`` backend: the eager module, and beside it one function for ``torch.compile``.

In: a ``Compiled`` loss.  Out: a ``ModulePage``.

The functional form hands over to the compiled function where a value and first derivatives are all
that is asked for; transforms, forward mode, second derivatives and devices without a compiler go
the eager way.  It refuses what the eager backend refuses.
"""

from __future__ import annotations

from lossgen.backends.compile_formula import together
from lossgen.backends.compile_runtime import RUNTIME
from lossgen.backends.torch_autograd import autograd_page
from lossgen.backends.torch_function import functional_page
from lossgen.backends.torch_module import assembled, formulas_of
from lossgen.compiled import Compiled
from lossgen.page import ModulePage


def compile_page(compiled: Compiled) -> ModulePage:
    """The page of a loss's module."""
    formulas = formulas_of(compiled)
    autograd = tuple(map(autograd_page, formulas))
    parts = [together(f) for f in formulas]
    functionals = tuple(
        functional_page(f, a, p.dispatch) for f, a, p in zip(formulas, autograd, parts, strict=True)
    )
    inner = tuple(page for p in parts for page in p.functions)
    last = (RUNTIME, *(p.compiled for p in parts))
    return assembled(compiled, formulas, autograd, functionals, inner, last)
