"""``[tool.lossgen]``: every key, every mistake."""

from pathlib import Path

import pytest

from lossgen.config import load_project
from lossgen.errors import LossgenError
from tests.cli.conftest import Rendering, Run, write_spec


def settings(folder: Path, text: str) -> Path:
    (folder / "pyproject.toml").write_text(text)
    return folder


def test_without_settings_the_folder_is_the_project(tmp_path: Path) -> None:
    project = load_project(tmp_path)
    assert project.root == tmp_path
    assert project.module("dice") == tmp_path / "generated/dice.py"
    assert project.test("dice") == tmp_path / "generated/tests/test_dice.py"
    settings(tmp_path, '[project]\ndependencies = ["lossgen"]\n')
    assert load_project(tmp_path) == project


def test_the_nearest_table_upwards_counts(tmp_path: Path) -> None:
    settings(tmp_path, '[tool.lossgen]\noutput = "src/losses"\n')
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    settings(deep, "[tool.other]\n")
    project = load_project(deep)
    assert project.root == tmp_path
    assert project.module("dice") == tmp_path / "src/losses/dice.py"
    assert project.test("dice") == tmp_path / "src/losses/tests/test_dice.py"


def test_every_key(tmp_path: Path) -> None:
    settings(
        tmp_path,
        '[tool.lossgen]\nspecs = "formulas"\noutput = "out"\ntests = "checks"\n'
        'backend = "eager"\ntemplates = ["mine"]\n',
    )
    project = load_project(tmp_path)
    assert project.specs == tmp_path / "formulas"
    assert project.tests == tmp_path / "checks"
    assert project.templates == (tmp_path / "mine",)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('ouput = "x"', "has no key 'ouput'. Did you mean 'output'?"),
        ('zzz = "x"', "has no key 'zzz'. Known are specs"),
        ("output = 3", "output must be a string"),
        ('output = ""', "output must be a string"),
        ('output = "/abs"', "must be relative"),
        ('output = "specs"', "are the same folder"),
        ('tests = "./specs"', "are the same folder"),
        ('backend = "jax"', "backend has no 'jax'"),
        ('templates = "mine"', "templates must be a list"),
        ("templates = [3]", "templates must be a list"),
        ("output = ", "is not valid TOML"),
    ],
)
def test_mistakes(tmp_path: Path, line: str, message: str) -> None:
    settings(tmp_path, f"[tool.lossgen]\n{line}\n")
    with pytest.raises(LossgenError, match=r"pyproject\.toml: ") as caught:
        load_project(tmp_path)
    assert message in str(caught.value)


def test_a_table_that_is_none(tmp_path: Path) -> None:
    settings(tmp_path, "[tool]\nlossgen = 3\n")
    with pytest.raises(LossgenError, match="must be a table"):
        load_project(tmp_path)


def test_the_command_line_follows_the_settings(
    run: Run, project: Path, rendering: Rendering
) -> None:
    settings(project, '[tool.lossgen]\nspecs = "formulas"\noutput = "src/losses"\n')
    result = run("new", "dice")
    assert result.exit_code == 0, result.output
    assert (project / "formulas/dice.py").exists()
    assert "from formulas/dice.py;" in (project / "src/losses/dice.py").read_text()
    assert run("generate", "--check").exit_code == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x\n{{ page.nothing }}", "mine/module.py.jinja:2: the template is wrong: 'lossgen.page"),
        ("{% if %}", "mine/module.py.jinja:1: the template is wrong: Expected an expression"),
        (
            '{% include "none.jinja" %}',
            "mine/module.py.jinja:1: the template is wrong: 'none.jinja",
        ),
        ("def broken(:", "gives no valid Python:\nerror: Failed to parse mine.py:1:12"),
    ],
)
def test_a_template_that_is_wrong(run: Run, project: Path, text: str, said: str) -> None:
    settings(project, '[tool.lossgen]\ntemplates = ["mine"]\n')
    (project / "mine").mkdir()
    (project / "mine" / "module.py.jinja").write_text(text)
    write_spec(project, "mine")
    result = run("generate")
    assert result.exit_code == 2
    assert said in result.output


def test_a_folder_of_templates_that_is_missing(run: Run, project: Path) -> None:
    settings(project, '[tool.lossgen]\ntemplates = ["mine"]\n')
    result = run("new", "l1", "--no-verify")
    assert result.exit_code == 2
    assert "mine: there is no such folder of templates" in result.output
    (project / "mine").mkdir()
    assert run("new", "l1", "--no-verify").exit_code == 0
