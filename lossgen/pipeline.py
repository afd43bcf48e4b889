"""The line that data walks, from specs to formatted source.

    LossSpec → stabilize → lower → differentiate → backend → Page → render → str

A spec that was read has no faults left, so what fails here is a fault of LossGen's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lossgen.spec import LossSpec


@dataclass(frozen=True, slots=True)
class Rendered:
    """The texts generated for a loss, formatted, without headers.

    Attributes:
        kernels: the file of kernels beside the module, for a backend that has one.
        ending: what that file's name has after the loss's.
        note: what the backend could not do for this loss.
    """

    name: str
    module: str
    test: str
    kernels: str | None = None
    ending: str = ".c"
    note: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """A generated module before formatting, and the kernels beside it, if its backend has any."""

    module: str
    kernels: str | None = None
    ending: str = ".c"
    note: str = ""

    @property
    def beside(self) -> str | None:
        """The kernels where they are Python, which is formatted as the module is."""
        return self.kernels if self.ending.endswith(".py") else None


def render_losses(
    specs: Sequence[LossSpec],
    templates: Sequence[Path] = (),
    backends: Mapping[str, str] | None = None,
) -> list[Rendered]:
    """Generate every loss; one formatter process serves them all.

    Args:
        backends: of each loss that is not for the eager backend, its backend.
    """
    from lossgen.formatting import format_sources

    chosen = backends or {}
    made = {s.name: source(s, templates, chosen.get(s.name, "eager")) for s in specs}
    texts: dict[str, str] = {}
    for spec in specs:
        texts[f"{spec.name}.py"] = made[spec.name].module
        beside = made[spec.name].beside
        texts[f"test_{spec.name}.py"] = proof_source(spec, templates, on_gpu=beside is not None)
        if beside is not None:
            texts[f"beside/{spec.name}.py"] = beside
    done = format_sources(texts)
    return [
        Rendered(
            s.name,
            done[f"{s.name}.py"],
            done[f"test_{s.name}.py"],
            done.get(f"beside/{s.name}.py", made[s.name].kernels),
            made[s.name].ending,
            made[s.name].note,
        )
        for s in specs
    ]


def module_source(spec: LossSpec, templates: Sequence[Path] = (), backend: str = "eager") -> str:
    """The generated module's text, before formatting."""
    return source(spec, templates, backend).module


def source(spec: LossSpec, templates: Sequence[Path], backend: str) -> Source:
    """A loss's module, and what its backend puts beside it."""
    from lossgen.backends import PAGES
    from lossgen.compiled import compile_loss
    from lossgen.render import filled

    page = PAGES[backend](compile_loss(spec))
    module = filled("module.py.jinja", templates, page=page)
    if page.kernels is None:
        return Source(module, note=page.note)
    kernels = filled(page.kernels.template, templates, page=page.kernels)
    return Source(module, kernels, page.kernels.ending)


def proof_source(spec: LossSpec, templates: Sequence[Path] = (), *, on_gpu: bool = False) -> str:
    """The generated test's text, before formatting; `on_gpu`: of kernels for a GPU as well."""
    from lossgen.testpage import test_source

    return test_source(spec, templates, on_gpu=on_gpu)
