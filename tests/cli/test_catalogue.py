"""``lossgen list``, names, and what the command line says of slips."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lossgen.cli import main
from lossgen.errors import Fault, LossgenError, SpecError
from lossgen.library import Library
from lossgen.paths import shipped
from tests.cli.conftest import Run, write_spec


def test_a_listing_names_every_spec(run: Run, project: Path) -> None:
    result = run("list", "--json")
    assert result.exit_code == 0
    rows = {row["name"]: row for row in json.loads(result.output)}
    assert set(rows) == {path.stem for path in shipped("specs").glob("*.py")}
    assert rows["dice"]["family"] == "segmentation"
    assert rows["dice"]["source"] == "catalogue"
    assert all(row["summary"] and row["family"] for row in rows.values())


def test_a_listing_for_people(run: Run, project: Path) -> None:
    write_spec(project, "mine", summary="Quite my own.")
    result = run("list")
    assert result.exit_code == 0
    assert "mine (yours)" in result.output
    assert "Quite my own." in result.output
    assert "dice (yours)" not in result.output


def test_a_family(run: Run, project: Path) -> None:
    rows = json.loads(run("list", "--family", "segmentation", "--json").output)
    assert {row["family"] for row in rows} == {"segmentation"}
    assert "dice" in {row["name"] for row in rows}
    result = run("list", "--family", "segmentaton")
    assert result.exit_code == 2
    assert "Did you mean 'segmentation'?" in result.output


def test_ones_own_spec_hides_the_catalogues(run: Run, project: Path) -> None:
    write_spec(project, "dice", summary="Mine.")
    rows = {row["name"]: row for row in json.loads(run("list", "--json").output)}
    assert rows["dice"]["summary"] == "Mine."
    assert rows["dice"]["source"] == "project"


def test_a_listing_runs_nothing_and_shows_broken_specs(run: Run, project: Path) -> None:
    folder = project / "specs"
    folder.mkdir()
    (folder / "bomb.py").write_text("raise SystemExit(3)\n")
    (folder / "broken.py").write_text("def broken(:\n")
    (folder / "not-a-name.py").write_text("")
    result = run("list", "--json")
    assert result.exit_code == 0
    rows = {row["name"]: row["summary"] for row in json.loads(result.output)}
    assert rows["bomb"] == "has no function called bomb"
    assert rows["broken"] == "cannot be read: SyntaxError"
    assert "not-a-name" not in rows


@pytest.mark.parametrize("command", ["show", "verify"])
def test_unknown_names_get_a_suggestion(run: Run, project: Path, command: str) -> None:
    result = run(command, "dcie")
    assert result.exit_code == 2
    assert "No loss is called 'dcie'. Did you mean 'dice'?" in result.output
    assert "lossgen list" in run(command, "xyzzyxyzzy").output


@pytest.mark.parametrize(
    ("word", "meant"), [("nwe", "new"), ("genrate", "generate"), ("verfy", "verify")]
)
def test_unknown_commands_get_a_suggestion(run: Run, word: str, meant: str) -> None:
    result = run(word)
    assert result.exit_code == 2
    assert f"No such command '{word}'. Did you mean '{meant}'?" in result.output


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("dcie", "dice"),
        ("dice_loss", "dice"),
        ("DiceLoss", "dice"),
        ("SmoothL1Loss", "smooth_l1"),
        ("hubber", "huber"),
        ("focal_dice", ""),
        ("dice2", ""),
        ("my_mse", ""),
        ("something_else", ""),
    ],
)
def test_what_counts_as_a_slip(typed: str, meant: str) -> None:
    assert Library([shipped("specs")]).slip(typed) == meant


def test_a_fault_says_where_and_what_to_do() -> None:
    faults = [Fault("specs/a.py", 9, "axis 'm' appears in no tensor", "Did you mean 'n'?")]
    faults.append(Fault("specs/a.py", 12, "unbound."))
    assert str(SpecError(faults)) == (
        "specs/a.py:9: axis 'm' appears in no tensor. Did you mean 'n'?\nspecs/a.py:12: unbound."
    )
    assert isinstance(SpecError(faults), LossgenError)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(run: Run, shell: str) -> None:
    result = run("completion", shell)
    assert result.exit_code == 0
    assert "_LOSSGEN_COMPLETE" in result.output


def test_names_are_completed(run: Run, project: Path) -> None:
    from click.shell_completion import ShellComplete

    from lossgen.cli import cli

    write_spec(project, "mine")
    complete = ShellComplete(cli, {}, "lossgen", "_LOSSGEN_COMPLETE").get_completions
    assert "dice" in [item.value for item in complete(["new"], "di")]
    assert [item.value for item in complete(["generate"], "")] == ["mine"]
    assert [item.value for item in complete(["verify"], "min")] == ["mine"]


def told_of(
    fault: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> str:
    """What a command says that comes to a fault, and exits with 2."""

    def broken(*_: object) -> None:
        raise fault

    monkeypatch.setattr("gc.disable", lambda: None)
    monkeypatch.setattr("sys.argv", ["lossgen", "list"])
    monkeypatch.setattr("lossgen.cli.catalogue.project_at", broken)
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    return capsys.readouterr().err


def test_a_fault_of_ours_is_not_taken_for_a_verdict(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = told_of(ZeroDivisionError(), monkeypatch, capsys)
    assert "ZeroDivisionError" in told
    assert "a fault of LossGen" in told


def test_a_narrow_terminal_lists_names_alone(
    run: Run, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_spec(project, "mine", summary="Quite my own.")
    monkeypatch.setenv("COLUMNS", "40")
    lines = run("list").output.splitlines()
    assert "  mine (yours)" in [line.rstrip() for line in lines]
    assert all(len(line) <= 48 for line in lines)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_without_a_sign_shows_another(encoding: str) -> None:
    code = "import lossgen.cli as c; c.cli = lambda **words: print('one …'); c.main()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": encoding},
    )
    assert (done.returncode, done.stdout.split()) == (0, [b"one", b"?"]), done.stderr


def test_an_interrupt_is_no_verdict(
    run: Run, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(self: Library) -> list[str]:
        raise KeyboardInterrupt

    monkeypatch.setattr(Library, "entries", interrupted)
    result = run("list")
    assert result.exit_code == 130
    assert "Interrupted." in result.output


def test_a_listing_for_a_pipe_has_a_line_a_loss(
    run: Run, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    lines = run("list").output.splitlines()
    (dice,) = [line for line in lines if line.startswith("  dice ")]
    assert dice.endswith("one minus the smoothed overlap of prediction and target.")
    assert all(line == line.rstrip() for line in lines)


def test_a_sheet_says_where_its_spec_lies(run: Run, project: Path) -> None:
    assert run("show", "mse").output.startswith("mse (catalogue)\n")
    write_spec(project, "mse")
    assert run("show", "mse").output.startswith("mse (specs/mse.py)\n")
    assert run("show", "mse", "-C", ".").output.startswith("mse (specs/mse.py)\n")


def test_views_exclude_one_another(run: Run, project: Path) -> None:
    result = run("show", "dice", "--latex", "--json")
    assert result.exit_code == 2
    assert "three views: choose one" in result.output


@pytest.mark.parametrize("command", ["list", "generate", "show dice"])
def test_a_folder_that_is_not_there(run: Run, project: Path, command: str) -> None:
    result = run(*command.split(), "-C", "nowhere")
    assert result.exit_code == 2
    assert "--directory nowhere: there is no such folder." in result.output


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "cannot write: No space left"),
        (ModuleNotFoundError("gone", name="torch"), "Install it: pip install torch"),
    ],
)
def test_a_fault_of_the_machine_has_no_traceback(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    fault: Exception,
    said: str,
) -> None:
    told = told_of(fault, monkeypatch, capsys)
    assert told.startswith("Error: ")
    assert said in told
    assert "Traceback" not in told


def test_options_are_completed(run: Run, project: Path) -> None:
    from click.shell_completion import ShellComplete

    from lossgen.cli import cli

    complete = ShellComplete(cli, {}, "lossgen", "_LOSSGEN_COMPLETE").get_completions
    assert "dice" in [item.value for item in complete(["verify", "--spec"], "di")]
    assert "segmentation" in [item.value for item in complete(["list", "--family"], "s")]
