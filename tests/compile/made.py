"""Modules of the compile backend, generated into a temporary folder, beside the eager ones."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from lossgen.pipeline import render_losses
from lossgen.spec import load_spec
from tests.machinery.importing import imported
from tests.machinery.sampling import SPECS, Sample, sample


@functools.cache
def text(name: str) -> str:
    """The module's text."""
    (rendered,) = render_losses([load_spec(SPECS / f"{name}.py")], backends={name: "compile"})
    return rendered.module


def fresh(name: str) -> ModuleType:
    """The module, with nothing compiled yet."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.py"
        path.write_text(text(name), encoding="utf-8")
        return imported(f"compiled_{name}", path)


class Compiled:
    """A loss of the compile backend, next to its eager twin.

    Attributes:
        drawn: tensors for it, and the eager module.
        functional: its functional form.
        parts: what holds its compiled functions.
    """

    def __init__(self, name: str, optional: bool = True) -> None:
        self.drawn: Sample = sample(name, optional)
        module = fresh(name)
        self.functional: Callable[..., torch.Tensor] = getattr(
            module, self.drawn.spec.functional_name
        )
        self.parts: list[Any] = [x for x in vars(module).values() if hasattr(x, "variants")]

    def check_compiled(self) -> None:
        """That compiled code ran, and nothing fell back."""
        assert any(part.variants for part in self.parts)
        assert not any(part.failed for part in self.parts)
