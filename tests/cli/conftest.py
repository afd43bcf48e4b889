"""An empty project, a way to run commands in it, and a renderer that needs no compiler.

Tests of what the command line does with files take ``rendering``: it replaces the compiler, so that
they are quick and tell of files alone. Tests that prove a loss use the real one.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner, Result

from lossgen.cli import cli

Run = Callable[..., Result]

SPEC = '''from lossgen.language import Real, e, loss


@loss(family="regression")
def {name}(input: Real[e], target: Real[e]):
    """{summary}"""
    return (input[e] - target[e])**{power}
'''


@dataclass(frozen=True)
class Rendered:
    name: str
    module: str
    test: str
    kernels: str | None = None
    ending: str = ".c"
    note: str = ""


@dataclass
class Rendering:
    """What the stand-in renderer writes; a test changes `constant` to make the output drift."""

    constant: int = 1

    def render_losses(
        self,
        specs: Sequence[Any],
        templates: Sequence[Path] = (),
        backends: Mapping[str, str] | None = None,
    ) -> list[Rendered]:
        return [
            Rendered(
                spec.name,
                f'"""A loss."""\n\nCONSTANT = {self.constant}\nHASH = "{spec.source_hash}"\n'
                f'BACKEND = "{(backends or {})[spec.name]}"\n',
                f'"""A test."""\n\n\ndef test_value():\n    assert {self.constant} == 1\n',
            )
            for spec in specs
        ]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is the working folder."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def run(project: Path) -> Run:
    """Run ``lossgen`` with these words in the empty project; never a traceback."""

    def invoke(*words: str) -> Result:
        result = CliRunner().invoke(cli, list(words))
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return invoke


@pytest.fixture
def rendering(monkeypatch: pytest.MonkeyPatch) -> Rendering:
    """Replace the compiler by a renderer of two-line modules."""
    stand_in = Rendering()
    module = ModuleType("lossgen.pipeline")
    module.render_losses = stand_in.render_losses  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "lossgen.pipeline", module)
    return stand_in


def write_spec(folder: Path, name: str, *, power: int = 2, summary: str = "A loss.") -> Path:
    """Write a small spec of one's own."""
    path = folder / "specs" / f"{name}.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(SPEC.format(name=name, power=power, summary=summary))
    return path
