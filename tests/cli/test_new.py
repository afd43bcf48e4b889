"""``lossgen new``: what it writes, what it refuses to write, and that it proves what it wrote."""

import errno
import os
from pathlib import Path

import pytest

from lossgen.paths import shipped
from tests.cli.conftest import Rendering, Run, write_spec

FILES = ["generated/dice.py", "generated/tests/test_dice.py", "specs/dice.py"]


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*"))


def test_a_loss_of_the_catalogue(run: Run, project: Path, rendering: Rendering) -> None:
    result = run("new", "dice", "--no-verify")
    assert result.exit_code == 0, result.output
    assert files(project) == FILES
    assert (project / "specs/dice.py").read_bytes() == (shipped("specs") / "dice.py").read_bytes()
    module = (project / "generated/dice.py").read_text()
    assert "from specs/dice.py;" in module.splitlines()[0]
    assert str(project) not in module
    assert "wrote  specs/dice.py  (from the catalogue)" in result.output
    assert "Not proven yet: lossgen verify dice" in result.output
    assert "lossgen generate dice" in result.output


def test_again_changes_nothing(run: Run, project: Path, rendering: Rendering) -> None:
    run("new", "dice", "--no-verify")
    before = {name: (project / name).stat().st_mtime_ns for name in FILES}
    result = run("new", "dice", "--no-verify")
    assert result.exit_code == 0
    assert "kept   specs/dice.py  (yours, used as it is)" in result.output
    assert {name: (project / name).stat().st_mtime_ns for name in FILES} == before


def test_ones_own_spec_is_used(run: Run, project: Path, rendering: Rendering) -> None:
    spec = write_spec(project, "dice")
    text = spec.read_text()
    assert run("new", "dice", "--no-verify", "--force").exit_code == 0
    assert spec.read_text() == text
    assert (project / "generated/dice.py").exists()


def test_an_unknown_name_gives_a_starter(run: Run, project: Path, rendering: Rendering) -> None:
    result = run("new", "my_loss", "--no-verify")
    assert result.exit_code == 0, result.output
    spec = (project / "specs/my_loss.py").read_text()
    assert "def my_loss(" in spec
    assert spec.count("#") > 10
    assert "Make it yours" in result.output


@pytest.mark.parametrize("name", ["dcie", "DiceLoss", "dice_loss", "hubber"])
def test_a_slip_is_asked_about(run: Run, project: Path, rendering: Rendering, name: str) -> None:
    result = run("new", name, "--no-verify")
    assert result.exit_code == 2
    assert "Did you mean '" in result.output
    assert f"lossgen new {name} --blank" in result.output
    assert files(project) == []
    assert run("new", name, "--no-verify", "--blank").exit_code == 0


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("lambda", "is a keyword of Python"),
        ("None", "is a keyword of Python"),
        ("a/b", "looks like a path"),
        ("..", "looks like a path"),
        ("../dice", "looks like a path"),
        ("..\\dice", "looks like a path"),
        ("/etc/dice", "looks like a path"),
        ("dice.py", "looks like a path"),
        ("C:dice", "looks like a path"),
        ("2dice", "is no name for a Python function"),
        ("my-loss", "is no name for a Python function"),
        ("my loss", "is no name for a Python function"),
        ("", "is no name for a Python function"),
        ("_private", "is no name for a Python function"),
        ("__init__", "is no name for a Python function"),
        ("dice\0", "is no name for a Python function"),
        ("dice\n", "is no name for a Python function"),
        ("größe", "is no name for a Python function"),
        ("input", "is what a loss calls its argument"),
        ("torch", "is a module"),
        ("math", "is a module"),
        ("con", "is a device on Windows"),
        ("LPT1", "is a device on Windows"),
    ],
)
@pytest.mark.parametrize("more", [(), ("--blank",), ("--expr", "input")])
def test_names_that_cannot_be(
    run: Run, project: Path, name: str, reason: str, more: tuple[str, ...]
) -> None:
    result = run("new", "--no-verify", *more, "--", name)
    assert result.exit_code == 2
    assert reason in result.output
    assert files(project) == []


def test_one_line_of_mathematics(run: Run, project: Path, rendering: Rendering) -> None:
    words = ("new", "soft", "--expr", "sqrt((input - target)**2 + eps**2)", "--param", "eps=1e-3")
    assert run(*words, "--no-verify").exit_code == 0
    spec = project / "specs/soft.py"
    assert "return sqrt((input[e] - target[e]) ** 2 + eps**2)" in spec.read_text()
    assert run(*words, "--no-verify").exit_code == 0


def test_another_formula_needs_force(run: Run, project: Path, rendering: Rendering) -> None:
    assert run("new", "soft", "--expr", "(input - target)**2", "--no-verify").exit_code == 0
    spec = project / "specs/soft.py"
    text = spec.read_text()
    words = ("new", "soft", "--expr", "(input - target)**4", "--no-verify")
    result = run(*words)
    assert result.exit_code == 2
    assert "specs/soft.py exists and says something else" in result.output
    assert spec.read_text() == text
    assert run(*words, "--force").exit_code == 0
    assert "** 4" in spec.read_text()
    assert (project / "specs/soft.py.orig").read_text() == text


@pytest.mark.parametrize(
    "formula", ["__import__(os)", "input.data", "lambda: 1", "9**9**9", "x" * 10_000]
)
def test_a_formula_outside_the_grammar_writes_nothing(
    run: Run, project: Path, formula: str
) -> None:
    result = run("new", "soft", "--expr", formula, "--no-verify")
    assert result.exit_code == 2
    assert result.output.startswith("Error: --expr")
    assert files(project) == []


@pytest.mark.parametrize("formula", ["where(input > target, 1, 0)", "sign(input - target)"])
def test_a_formula_without_a_gradient_writes_nothing(run: Run, project: Path, formula: str) -> None:
    result = run("new", "zero_one", "--expr", formula, "--no-verify")
    assert result.exit_code == 2
    assert "zero_one.py:5: the loss has no gradient" in result.output
    assert "Write a smooth form" in result.output
    assert files(project) == []


def test_options_that_do_not_go_together(run: Run, project: Path) -> None:
    assert "give --expr too" in run("new", "soft", "--param", "eps=1").output
    assert "choose one" in run("new", "soft", "--expr", "input", "--blank").output
    assert files(project) == []


@pytest.mark.parametrize("edited", FILES[:2])
def test_an_edited_file_is_reported_and_left_alone(
    run: Run, project: Path, rendering: Rendering, edited: str
) -> None:
    run("new", "dice", "--no-verify")
    path, other = (project / name for name in (edited, *(set(FILES[:2]) - {edited})))
    path.write_text(path.read_text() + "MINE = True\n")
    mine, theirs = path.read_text(), other.read_text()
    rendering.constant = 2
    result = run("new", "dice", "--no-verify")
    assert result.exit_code == 1
    assert f"{edited}: it was edited after it was generated; left alone" in result.output
    assert "--force" in result.output
    assert (path.read_text(), other.read_text()) == (mine, theirs)
    result = run("new", "dice", "--no-verify", "--force")
    assert result.exit_code == 0
    assert "MINE" not in path.read_text()
    assert path.with_name(f"{path.name}.orig").read_text() == mine
    assert ".orig" in result.output


def test_a_damaged_header_counts_as_a_persons(
    run: Run, project: Path, rendering: Rendering
) -> None:
    run("new", "dice", "--no-verify")
    path = project / "generated/dice.py"
    path.write_text(path.read_text().replace("body ", "bodily ", 1))
    rendering.constant = 2
    result = run("new", "dice", "--no-verify")
    assert result.exit_code == 1
    assert "generated/dice.py: its header is damaged, so it counts as yours" in result.output
    assert "CONSTANT = 1" in path.read_text()


def test_a_broken_spec_reports_every_fault(run: Run, project: Path) -> None:
    spec = write_spec(project, "mine")
    spec.write_text(spec.read_text().replace("input[e] - target[e]", "input[q] - target[e, e]"))
    result = run("new", "mine", "--no-verify")
    assert result.exit_code == 2
    assert "specs/mine.py:7: " in result.output
    assert not (project / "generated").exists()


@pytest.mark.parametrize("folder", ["specs", "generated"])
def test_a_file_where_a_folder_is_needed(
    run: Run, project: Path, rendering: Rendering, folder: str
) -> None:
    (project / folder).write_text("mine")
    result = run("new", "dice", "--no-verify")
    assert result.exit_code == 2
    assert "A file stands where a folder is needed" in result.output
    assert (project / folder).read_text() == "mine"


def test_a_full_disk(
    run: Run, project: Path, rendering: Rendering, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    result = run("new", "dice", "--no-verify")
    assert result.exit_code == 2
    assert "No space left on device. Free some space" in result.output
    assert files(project) == []


def test_another_folder(run: Run, project: Path, rendering: Rendering) -> None:
    result = run("new", "dice", "--no-verify", "--directory", "deep/er")
    assert result.exit_code == 0
    assert files(project / "deep/er") == FILES
    assert "wrote  deep/er/generated/dice.py" in result.output
    for words in ("verify dice", "generate dice", "show dice"):
        assert f"lossgen {words} -C deep/er" in result.output


def test_a_proof_that_fails_exits_1(run: Run, project: Path, rendering: Rendering) -> None:
    rendering.constant = 7
    result = run("new", "dice")
    assert result.exit_code == 1
    assert "dice does not hold" in result.output
    assert "assert 7 == 1" in result.output
    assert files(project) == FILES


def test_a_proof_that_succeeds(run: Run, project: Path, rendering: Rendering) -> None:
    result = run("new", "dice")
    assert result.exit_code == 0, result.output
    assert "dice holds: 1 of 1 cases hold" in result.output
    assert files(project) == FILES


def test_kernels_are_to_be_copied_too(run: Run, project: Path) -> None:
    done = run("new", "mse", "--backend", "c", "--no-verify")
    assert done.exit_code == 0
    assert "copy generated/mse.py and generated/mse.c anywhere" in done.output
    without = run("new", "vicreg", "--backend", "triton", "--no-verify")
    assert "no kernel in Triton, because it compares the elements" in without.output
    assert "copy generated/vicreg.py anywhere" in without.output
    on_cuda = run("new", "mse", "--backend", "triton", "--no-verify", "-C", "cuda")
    assert "mse_triton.py anywhere; they need torch, and Triton for CUDA" in on_cuda.output
