"""The command line: exit codes, the table, --json, JUnit XML, and a counter-example that runs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

import lossgen
from lossgen.cli import cli
from lossgen.errors import LossgenError
from lossgen.verify.encode import report_data, report_of
from lossgen.verify.junit import junit
from lossgen.verify.save import saved
from tests.verify import losses

ROOT = Path(__file__).resolve().parents[2]
COSTLY = ("torch.compile", "large tensors")
SKIP = tuple(word for name in COSTLY for word in ("--skip", name))
MODULE = "tests.verify.losses"


def run(*words: str) -> Result:
    result = CliRunner().invoke(cli, ["verify", *words, *SKIP])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_a_yes_on_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    result = run("tests/verify/losses.py:right", "--spec", "mse", "--seed", "4")
    assert result.exit_code == 0, result.output
    for words in ("Assumed", "value and gradient", "exactly:", "\nholds", "--seed 4"):
        assert words in result.output


def test_a_no_with_everything_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    xml, test = tmp_path / "out" / "junit.xml", tmp_path / "test_doubled.py"
    result = run(
        f"{MODULE}:doubled", "--spec", "mse", "--json", "--junit", str(xml), "--save", str(test)
    )
    assert result.exit_code == 1
    data = json.loads(result.stdout)
    assert (data["verdict"], data["holds"], data["exit_code"]) == ("does not hold", False, 1)
    assert data["diagnoses"] == ["doubled"]
    assert data["counterexample"]["count"] <= 4
    suite = ElementTree.parse(xml).getroot()[0]
    assert int(suite.get("failures", "0")) == 1
    assert int(suite.get("tests", "0")) == len(data["checks"])
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "/dev/null"),
            *("--rootdir", str(tmp_path), str(test)),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 1, done.stdout
    assert "Tensor-likes are not close" in done.stdout
    again = run(f"{MODULE}:doubled", "--spec", "mse", "--save", str(test))
    assert again.exit_code == 2
    assert "exists, and is not written over" in again.output


def test_a_saved_test_finds_its_file_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "losses.py").write_text(
        "def half(input, target):\n    return (input - target).abs().mean() / 2\n"
    )
    monkeypatch.chdir(tmp_path)
    test = tmp_path / "tests" / "test_half.py"
    assert run("losses.py:half", "--spec", "l1", "--save", "tests/test_half.py").exit_code == 1
    moved = tmp_path.parent / f"{tmp_path.name} moved"
    tmp_path.rename(moved)
    monkeypatch.chdir(moved.parent)
    test = moved / "tests" / "test_half.py"
    scope: dict[str, object] = {"__file__": str(test)}
    exec(compile(test.read_text(), str(test), "exec"), scope)
    with pytest.raises(AssertionError, match="not close"):
        scope["test_half"]()  # type: ignore[operator]
    moved.rename(tmp_path)


def test_the_verdict_goes_on_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "losses.py").write_text(
        "def table(input, target):\n    return {'loss': (input - target).abs().mean()}\n"
    )
    monkeypatch.chdir(tmp_path)
    told = run("losses.py:table", "--spec", "l1").output
    assert "cannot be asked: The code gives back a dict" in told
    warned = run("losses.py:table", "--spec", "l1", "--result", "loss").output
    assert "\nholds, but the code takes " in warned
    assert " 1 comparison " in warned
    lost = run("losses.py:tabel", "--spec", "l1").output
    assert "Did you mean 'table'?" in lost
    assert "It defines table." in run("losses.py:other", "--spec", "l1").output


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ((f"{MODULE}:items",), "Which formula is"),
        ((f"{MODULE}:right", "--spec", "mse", "--expr", "input"), "choose one"),
        ((f"{MODULE}:right", "--param", "a=1"), "describe a formula"),
        ((f"{MODULE}:right", "--spec", "mse", "--map", "input"), "write --map NAME=VALUE"),
        ((f"{MODULE}:right", "--spec", "mes"), "Did you mean 'mse'"),
        ((f"{MODULE}:right", "--spec", "mse", "--time-limit", "0"), "above 0"),
        (("mse", "--spec", "mse"), "These options are about code"),
        (("no/such.py:fn", "--spec", "mse"), "no such file"),
    ],
)
def test_what_cannot_be_asked_exits_2(words: tuple[str, ...], text: str) -> None:
    result = run(*words) if words[0] != "mse" else CliRunner().invoke(cli, ["verify", *words])
    assert result.exit_code == 2
    assert text in result.output.replace("\n", " ")


@pytest.mark.parametrize("name", ["right", "doubled", "detached", "mutates", "draws", "raises"])
def test_a_report_survives_its_journey_as_json(name: str) -> None:
    report = lossgen.verify(getattr(losses, name), "mse", skip=COSTLY)
    data = json.loads(json.dumps(report_data(report)))
    back = report_of(data)
    assert report_data(back) == report_data(report)
    assert ElementTree.fromstring(junit(back)).tag == "testsuites"


@pytest.mark.parametrize("name", ["doubled", "detached", "mutates", "draws", "items"])
def test_saved_tests_fail_while_the_code_is_wrong(name: str, tmp_path: Path) -> None:
    report = lossgen.verify(f"{MODULE}:{name}", "mse", skip=COSTLY)
    text = saved(report)
    scope: dict[str, object] = {}
    exec(compile(text, "saved.py", "exec"), scope)
    (test,) = [value for key, value in scope.items() if key.startswith("test_")]
    with pytest.raises(AssertionError):
        test()  # type: ignore[operator]


def test_nothing_is_saved_of_a_yes() -> None:
    with pytest.raises(LossgenError, match="no counter-example"):
        saved(lossgen.verify(losses.right, "mse", skip=COSTLY))


def test_asking_imports_neither_torch_nor_sympy_in_this_process() -> None:
    code = (
        "import sys, lossgen, lossgen.cli.verify_code, lossgen.verify.supervise\n"
        "print(sorted({'torch', 'sympy', 'numpy', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
