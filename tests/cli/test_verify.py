"""Running a generated test and telling what it found."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from lossgen.cli.report import show_proof
from lossgen.errors import LossgenError
from lossgen.verify.runner import prove
from tests.cli.conftest import Rendered, Rendering, Run, write_spec

TEST = """
import sys
import pytest

@pytest.mark.parametrize("n", [1, 2, 3])
def test_value(n):
    assert n < {limit}, "too large"

def test_sometimes():
    pytest.skip("not here")

def test_alone():
    assert "conftest" not in sys.modules
"""


def written(folder: Path, *, limit: int = 4) -> Path:
    path = folder / "test_mine.py"
    path.write_text(TEST.format(limit=limit))
    (folder / "conftest.py").write_text("raise SystemExit('a conftest of the user')\n")
    (folder / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    return path


def test_a_proof_counts_its_cases(tmp_path: Path) -> None:
    proof = prove("mine", written(tmp_path))
    assert proof.holds
    assert [(c.name, c.passed, c.failed, c.skipped) for c in proof.checks] == [
        ("value", 3, 0, 0),
        ("sometimes", 0, 0, 1),
        ("alone", 1, 0, 0),
    ]
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"test_mine.py", "conftest.py", "pytest.ini"}


def test_kernels_that_were_not_run_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path)
    assert prove("mine", path).unused == ""
    path.write_text(path.read_text() + "def _why_not(): return 'no compiler'\n")
    assert prove("mine", path).unused == ""
    path.write_text(path.read_text() + "def functional(): ...\n")
    proof = prove("mine", path)
    assert (proof.holds, proof.unused) == (True, "no compiler")
    show_proof(proof, Console(width=80))
    assert "The kernels were not run: no compiler. Plain torch" in capsys.readouterr().out


def test_a_failure_is_told(tmp_path: Path) -> None:
    proof = prove("mine", written(tmp_path, limit=3))
    assert not proof.holds
    (failure,) = proof.checks[0].failures
    assert failure.case == "test_value[3]"
    assert "too large" in failure.message


@pytest.mark.parametrize("text", ["def test(:\n", "import no_such_module\n", "raise ValueError\n"])
def test_a_test_that_cannot_be_imported_does_not_hold(tmp_path: Path, text: str) -> None:
    path = tmp_path / "test_mine.py"
    path.write_text(text)
    proof = prove("mine", path)
    assert not proof.holds
    assert proof.failed == 1


def test_no_test_at_all_is_no_proof(tmp_path: Path) -> None:
    path = tmp_path / "test_mine.py"
    path.write_text("x = 1\n")
    with pytest.raises(LossgenError, match="pytest could not run it"):
        prove("mine", path)


def test_only_skipped_is_no_proof(tmp_path: Path) -> None:
    path = tmp_path / "test_mine.py"
    path.write_text("import pytest\n\ndef test_x():\n    pytest.skip('no')\n")
    assert not prove("mine", path).holds


def test_the_users_settings_of_pytest_do_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTEST_ADDOPTS", "--no-such-option")
    assert prove("mine", written(tmp_path)).holds


def test_verify_writes_nothing_and_exits_by_the_verdict(
    run: Run, project: Path, rendering: Rendering
) -> None:
    spec = write_spec(project, "mine")
    result = run("verify", "mine", "--no-accuracy")
    assert result.exit_code == 0, result.output
    assert "mine holds: 1 of 1 cases hold" in result.output
    rendering.constant = 7
    refuted = run("verify", "mine", "--no-accuracy")
    assert refuted.exit_code == 1
    assert "mine does not hold" in refuted.output
    assert [path for path in project.rglob("*") if path.is_file()] == [spec]


class _Reading(Rendering):
    """Its test looks at the module beside it."""

    def render_losses(self, *given: Any, **named: Any) -> list[Rendered]:
        text = (
            "from pathlib import Path\n\n\ndef test_value():\n"
            '    assert "CONSTANT = 1" in (Path(__file__).parents[1] / "mine.py").read_text()\n'
        )
        return [replace(made, test=text) for made in super().render_losses(*given, **named)]


def test_what_somebody_edited_is_proven_as_it_is(
    run: Run, project: Path, rendering: Rendering, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = _Reading()
    monkeypatch.setattr(sys.modules["lossgen.pipeline"], "render_losses", reading.render_losses)
    write_spec(project, "mine")
    run("generate")
    assert run("verify", "mine", "--no-accuracy").exit_code == 0
    module = project / "generated" / "mine.py"
    module.write_text(module.read_text().replace("CONSTANT = 1", "CONSTANT = 2"))
    before = module.read_bytes()
    result = run("verify", "mine", "--no-accuracy")
    assert result.exit_code == 1
    assert "generated/mine.py: it was edited after it was generated" in result.output
    assert "python -m pytest generated/tests/test_mine.py" in result.output
    assert json.loads(run("verify", "mine", "--json", "--no-accuracy").stdout)["edited"] == [
        "generated/mine.py"
    ]
    assert module.read_bytes() == before


def test_a_file_older_than_its_spec_is_named(run: Run, project: Path, rendering: Rendering) -> None:
    write_spec(project, "mine")
    run("generate")
    write_spec(project, "mine", power=4)
    result = run("verify", "mine", "--no-accuracy")
    assert result.exit_code == 0
    assert "generated/mine.py: older than its spec" in result.output


def test_a_module_that_cannot_be_read_says_where(tmp_path: Path) -> None:
    path = tmp_path / "test_mine.py"
    path.write_text("import no_such_module\n")
    (failure,) = prove("mine", path).checks[0].failures
    assert "No module named 'no_such_module'" in failure.message


def test_verify_for_a_program(run: Run, project: Path, rendering: Rendering) -> None:
    rendering.constant = 7
    result = run("verify", "dice", "--json", "--no-accuracy")
    assert result.exit_code == 1
    told = json.loads(result.output)
    assert told["holds"] is False
    assert told["checks"][0]["failures"][0]["case"] == "test_value"


def test_code_is_no_name(run: Run, project: Path) -> None:
    result = run("verify", "package.module:DiceLoss")
    assert result.exit_code == 2
    assert "There is no module 'package.module'" in result.output
