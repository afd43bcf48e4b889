"""Formula and gradient as lines of LaTeX, for docstrings and ``lossgen show``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lossgen.notation import plain

if TYPE_CHECKING:
    from lossgen.compiled import Compiled


def formula_lines(compiled: Compiled) -> list[str]:
    """The value, one named part a line."""
    return [f"{x.name} = {plain(x.body)}" for x in compiled.forward.statements]


def gradient_lines(compiled: Compiled) -> list[str]:
    """The gradient, one adjoint a line."""
    return [f"{x.name} = {plain(x.body)}" for x in compiled.backward.program.statements]
