"""docs/architecture.md names what there is: every module, and the programs as they are.

Run as a program, this file writes the programs into the page anew.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

import lossgen
from lossgen.compiled import compile_loss
from lossgen.derivatives import SLOPES
from lossgen.program import show
from lossgen.spec import load_spec
from lossgen.stabilize import RULES

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "architecture.md"
PACKAGE = Path(lossgen.__file__).parent
PROGRAM = re.compile(r"(<!-- program: (\w+) (forward|backward) -->\n```\n)(.*?)(```\n)", re.DOTALL)


def parts() -> set[str]:
    """The modules and packages that lie directly in lossgen/."""
    files = {path.stem for path in PACKAGE.glob("*.py") if not path.stem.startswith("__")}
    return files | {path.parent.name for path in PACKAGE.glob("*/__init__.py")}


def named() -> list[str]:
    """The modules named in the first column of the page's table."""
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return [name for row in rows for name in re.findall(r"`(\w+)`", row)]


def shown(name: str, direction: str) -> str:
    loss = compile_loss(load_spec(ROOT / "specs" / f"{name}.py"))
    return show(loss.forward if direction == "forward" else loss.backward.program)


def renewed(text: str) -> str:
    return PROGRAM.sub(lambda m: f"{m[1]}{shown(m[2], m[3])}\n{m[5]}", text)


def test_every_module_is_named_once_and_every_name_is_a_module() -> None:
    assert sorted(named()) == sorted(parts())


def test_the_programs_are_what_the_compiler_makes() -> None:
    found = PROGRAM.findall(PAGE.read_text(encoding="utf-8"))
    assert len(found) == 4
    for _, name, direction, text, _ in found:
        assert text.rstrip("\n") == shown(name, direction), (
            f"{name} {direction}: run `python tests/test_architecture_doc.py`"
        )


@pytest.mark.parametrize(
    "path",
    sorted(set(re.findall(r"`((?:tests|docs|specs)/[\w./]+)`", PAGE.read_text(encoding="utf-8")))),
)
def test_the_files_it_names_exist(path: str) -> None:
    assert (ROOT / path).exists()


def test_the_tables_it_names_exist() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert "`stabilize.RULES`" in text
    assert "`derivatives.SLOPES`" in text
    assert RULES
    assert SLOPES


def test_lines_fit_a_reader() -> None:
    outside = re.sub(r"```\n.*?```", "", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    long = [x for x in outside.splitlines() if len(x) > 122 and not x.startswith("|")]
    assert long == []


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    sys.stdout.write(f"{PAGE.relative_to(ROOT)} renewed\n")
