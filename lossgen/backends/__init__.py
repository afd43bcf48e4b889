"""Printers: a program in, lines of code out. A backend is one function from a loss to its page."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from lossgen.backends.c.module import c_page
from lossgen.backends.compile_module import compile_page
from lossgen.backends.torch_module import module_page
from lossgen.backends.triton.module import triton_page
from lossgen.compiled import Compiled
from lossgen.page import ModulePage

PAGES: Mapping[str, Callable[[Compiled], ModulePage]] = {
    "eager": module_page,
    "compile": compile_page,
    "c": c_page,
    "triton": triton_page,
}
