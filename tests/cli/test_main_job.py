"""The main job with the real compiler: an empty folder, a name, a proven loss."""

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lossgen.paths import shipped
from tests.cli.conftest import Run


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ("dice",),
        ("a_loss_of_my_own",),
        ("soft", "--expr", "sqrt((input - target)**2 + eps**2)", "--param", "eps=1e-3"),
        (
            *("entropy", "--expr", "-target*log(input) - (1 - target)*log(1 - input)"),
            *("--tensor", "input:Probabilities", "--tensor", "target:Probabilities"),
        ),
        ("kink", "--expr", "where(abs(input - target) < 1, (input - target)**2/2, 1)"),
        ("alone", "--expr", "softplus(-input)"),
    ],
    ids=lambda words: words[0],
)
def test_a_new_loss_is_proven(run: Run, project: Path, words: tuple[str, ...]) -> None:
    result = run("new", *words)
    assert result.exit_code == 0, result.output
    assert f"{words[0]} holds: " in result.output
    assert run("generate", "--check").exit_code == 0


@pytest.mark.slow
def test_modules_and_tests_may_lie_apart(run: Run, project: Path) -> None:
    (project / "pyproject.toml").write_text(
        '[tool.lossgen]\noutput = "src/my/losses"\ntests = "checks/losses"\n'
    )
    result = run("new", "dice")
    assert result.exit_code == 0, result.output
    assert (project / "checks/losses/test_dice.py").exists()
    assert "dice holds: " in result.output


@pytest.mark.slow
def test_the_code_is_clean_as_it_comes_out(run: Run, project: Path) -> None:
    assert run("new", "dice", "--no-verify").exit_code == 0
    path = str(project / "generated/dice.py")
    for tool in (
        ("ruff", "check", "--isolated"),
        ("ruff", "format", "--isolated", "--check"),
        ("mypy", "--strict", "--config-file", ""),
    ):
        done = subprocess.run(
            [sys.executable, "-m", *tool, path], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_code_imports_torch_and_the_standard_library(run: Run, project: Path) -> None:
    assert run("new", "dice", "--no-verify").exit_code == 0
    tree = ast.parse((project / "generated/dice.py").read_text())
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").partition(".")[0])
    assert "torch" in names
    assert names <= {"torch", *sys.stdlib_module_names}


def test_two_runs_give_the_same_bytes(run: Run, project: Path) -> None:
    for folder in ("a", "b/c"):
        assert run("new", "dice", "--no-verify", "-C", folder).exit_code == 0
    for name in ("specs/dice.py", "generated/dice.py", "generated/tests/test_dice.py"):
        assert (project / "a" / name).read_bytes() == (project / "b/c" / name).read_bytes()


def test_show_for_people(run: Run, project: Path) -> None:
    result = run("show", "dice")
    assert result.exit_code == 0
    for word in (
        "Soft Dice loss",
        "Value",
        "Gradient",
        "Probabilities",
        "smooth",
        "1.0",
        "DiceLoss",
    ):
        assert word in result.output


def test_show_for_programs_and_papers(run: Run, project: Path) -> None:
    told = json.loads(run("show", "dice", "--json").output)
    assert told["name"] == "dice"
    assert "\\sigma" in run("show", "dice", "--latex").output
    program = run("show", "dice", "--program").output
    assert "overlap[n, c]" in program


@pytest.mark.parametrize("form", ["", "--json", "--latex", "--program"])
def test_every_loss_of_the_catalogue_can_be_shown(run: Run, project: Path, form: str) -> None:
    for row in json.loads(run("list", "--json").output):
        result = run("show", row["name"], *filter(None, [form]))
        assert result.exit_code == 0, row["name"]
        assert result.output.strip()


@pytest.mark.slow
def test_the_catalogue_is_the_same_in_every_process(tmp_path: Path) -> None:
    texts = []
    for seed in ("1", "2", "3"):
        folder = tmp_path / seed
        shutil.copytree(shipped("specs"), folder / "specs")
        subprocess.run(
            [sys.executable, "-m", "lossgen", "generate"],
            cwd=folder,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            check=True,
            capture_output=True,
        )
        texts.append({path.name: path.read_text() for path in (folder / "generated").rglob("*.py")})
    for other in texts[1:]:
        assert [name for name in texts[0] if texts[0][name] != other[name]] == []
