"""The line that data walks, from specs to formatted source.

    LossSpec → stabilize → lower → differentiate → backend → Page → render → str

A spec that was read has no faults left, so what fails here is a fault of LossGen's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lossgen.spec import LossSpec


@dataclass(frozen=True, slots=True)
class Rendered:
    """The text of a loss's generated module and of its test, formatted, without headers."""

    name: str
    module: str
    test: str


def render_losses(specs: Sequence[LossSpec], templates: Sequence[Path] = ()) -> list[Rendered]:
    """Generate every loss; one formatter process serves them all."""
    from lossgen.formatting import format_sources

    sources: dict[str, str] = {}
    for spec in specs:
        sources[f"{spec.name}.py"] = module_source(spec, templates)
        sources[f"test_{spec.name}.py"] = proof_source(spec, templates)
    done = format_sources(sources)
    return [Rendered(s.name, done[f"{s.name}.py"], done[f"test_{s.name}.py"]) for s in specs]


def module_source(spec: LossSpec, templates: Sequence[Path] = ()) -> str:
    """The generated module's text, before formatting."""
    from lossgen.backends.torch_module import module_page
    from lossgen.compiled import compile_loss
    from lossgen.render import environment

    compiled = compile_loss(spec)
    page = module_page(compiled)
    return environment(templates).get_template("module.py.jinja").render(page=page)


def proof_source(spec: LossSpec, templates: Sequence[Path] = ()) -> str:
    """The generated test's text, before formatting."""
    from lossgen.testpage import test_source

    return test_source(spec, templates)
