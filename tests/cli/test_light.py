"""What a command imports: the first answer must not wait for what it does not need."""

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "sympy", "jinja2", "rich", "numpy", "pytest", "subprocess", "tomllib", "json")

PROBE = """
import sys
from click.testing import CliRunner
before = set(sys.modules)
from lossgen.cli import cli
result = CliRunner().invoke(cli, sys.argv[1:])
assert result.exit_code == 0, result.output
print(*sorted(name for name in set(sys.modules) - before if "." not in name))
"""


def imported(*words: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    "words", [("--help",), ("--version",), ("new", "--help"), ("bench", "--help")]
)
def test_help_imports_nothing_heavy(words: tuple[str, ...]) -> None:
    assert imported(*words).isdisjoint(HEAVY)


def test_the_overview_imports_no_command() -> None:
    code = "import sys, lossgen.cli; print(*(n for n in sys.modules if n.startswith('lossgen')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == {"lossgen", "lossgen.cli", "lossgen.errors"}


def test_a_new_loss_without_proof_imports_neither_torch_nor_rich(tmp_path: Path) -> None:
    names = imported("new", "dice", "--no-verify", "--directory", str(tmp_path))
    assert {"sympy", "jinja2"} <= names
    assert names.isdisjoint({"torch", "rich", "pytest", "numpy", "tomllib", "difflib", "xml"})


def test_a_listing_imports_no_mathematics() -> None:
    assert imported("list").isdisjoint({"torch", "sympy", "jinja2"})
