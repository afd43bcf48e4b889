"""What the README promises, and what the wheel ships."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import click
import pytest

import lossgen
from lossgen.cli import cli

ROOT = Path(lossgen.__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_command_in_the_readme_exists() -> None:
    typed = re.findall(r"^lossgen (\w+)(.*?)(?:#.*)?$", README, re.MULTILINE)
    assert len(typed) > 8
    context = click.Context(cli)
    for name, rest in typed:
        command = cli.get_command(context, name)
        assert command is not None, name
        options = {word for param in command.params for word in param.opts}
        for option in re.findall(r"--\w[\w-]*", rest):
            assert option in options, f"lossgen {name} has no {option}"
    assert set(cli.list_commands(context)) == {name for name, _ in typed}


@pytest.mark.parametrize("name", ["main", "tests"])
def test_the_readme_has_the_commands_that_ci_runs(name: str) -> None:
    (command,) = re.findall(rf"<!-- ci: {name} -->\s*```sh\n(.*?)```", README, re.DOTALL)
    assert "-c constraints.txt" in command


def test_pins_agree() -> None:
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    constraints = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    (ruff,) = re.findall(r'"(ruff==[\d.]+)"', pyproject)
    assert ruff in constraints.split()
    assert ruff in (ROOT / "lossgen/formatting.py").read_text(encoding="utf-8")
    for needed in re.findall(r'^    "([\w-]+)[>=]=', pyproject, re.MULTILINE):
        assert re.search(rf"^{needed}==", constraints, re.MULTILINE | re.IGNORECASE), needed


def test_links_in_the_documents_lead_somewhere() -> None:
    for document in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
    done = subprocess.run([*command, str(ROOT)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = folder.glob("*.whl")
    return path


@pytest.mark.slow
def test_the_wheel_ships_templates_and_specs(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert "lossgen/py.typed" in names
    for folder in ("templates", "specs"):
        for path in (ROOT / folder).rglob("*.*"):
            if "__pycache__" not in path.parts:
                assert f"lossgen/_data/{path.relative_to(ROOT).as_posix()}" in names
    assert not [name for name in names if name.startswith(("tests/", "generated/", "tasks"))]


@pytest.mark.slow
def test_the_wheel_works_away_from_the_checkout(wheel: Path, tmp_path: Path) -> None:
    installed, project = tmp_path / "installed", tmp_path / "project"
    project.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    code = (
        "import sys; sys.path.insert(0, sys.argv.pop(1)); import lossgen.cli;"
        "assert lossgen.__file__.startswith(sys.path[0]); lossgen.cli.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(installed), "new", "dice", "--no-verify"],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (project / "generated/dice.py").is_file()
