"""Files that hold no spec, or not the one asked for."""

import subprocess
import sys
from pathlib import Path

import pytest

from lossgen.errors import LossgenError, SpecError
from lossgen.spec import load_spec, read_spec
from tests.language.reading import HEAD, faults_of, spec_text

GOOD = spec_text("return input[e] ** 2", "input: Real[e]")


def test_an_empty_file() -> None:
    assert faults_of("") == ["specs/tried.py:1: the file is empty. Define @loss() def tried"]


def test_a_syntax_error_has_its_line() -> None:
    found = faults_of(GOOD.replace("return input[e] ** 2", "return input[e ** 2"))
    assert found == ["specs/tried.py:7: not valid Python: '[' was never closed"]


def test_what_only_compiling_finds_has_its_line() -> None:
    found = faults_of(GOOD + "return 1\n")
    assert found == ["specs/tried.py:8: not valid Python: 'return' outside function"]


def test_a_null_byte() -> None:
    assert "not valid Python" in faults_of("x = '\0'")[0]


def test_deep_nesting() -> None:
    found = faults_of(f"x = {'(' * 5000}1{')' * 5000}")
    assert found[0].startswith("specs/tried.py:1: not valid Python: ")


def test_the_file_lacks_the_function() -> None:
    found = faults_of(GOOD.replace("tried", "tryed"))
    assert found == ["specs/tried.py:1: no @loss function named 'tried'. Did you mean 'tryed'?"]


def test_the_function_is_no_loss() -> None:
    found = faults_of(GOOD.replace("@loss()\n", ""))
    assert len(found) == 1
    assert found[0].endswith(": 'tried' is no loss yet. Write @loss() above it")


def test_the_file_has_another_name() -> None:
    text = GOOD.replace("tried", "other_loss")
    assert faults_of(text) == [
        "specs/tried.py:1: no @loss function named 'tried'. "
        "It has other_loss: a loss and its file share a name"
    ]


def test_a_second_loss_that_nothing_reads() -> None:
    second = GOOD.removeprefix(HEAD).replace("tried", "other")
    assert faults_of(GOOD + second) == [
        "specs/tried.py:9: 'other' is a second loss, which nothing reads. "
        "Give it a file of its own, other.py"
    ]


def test_a_docstring_counts_where_python_leaves_them_out() -> None:
    code = f"from lossgen.spec import read_spec; read_spec({GOOD!r}, 'tried', 'specs/tried.py')"
    subprocess.run([sys.executable, "-OO", "-c", code], check=True)


@pytest.mark.parametrize("name", ["class", "None", "2nd", "a-b", "../dice", ""])
def test_a_name_that_python_does_not_allow(name: str) -> None:
    with pytest.raises(SpecError, match="is not a name Python allows"):
        read_spec(GOOD, name, "specs/tried.py")


def test_text_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "specs" / "tried.py"
    path.parent.mkdir()
    path.write_bytes(b"# one\n# \xff\n")
    with pytest.raises(SpecError, match=r"specs/tried.py:2: the text is not UTF-8"):
        load_spec(path)


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(LossgenError, match=r"tried.py: cannot be read: No such file"):
        load_spec(tmp_path / "tried.py")


@pytest.mark.parametrize(
    "line", ["import torch", "from math import exp", "import sympy as sp", "from . import dice"]
)
def test_an_import_from_elsewhere(line: str) -> None:
    module = line.split()[1].strip(".")
    found = faults_of(f"{line}\n{GOOD}")
    expected = "specs/tried.py:1: a spec imports from lossgen.language and the specs beside it, not"
    assert found[0].startswith(f"{expected} {module}")
    assert len(found) == 1


def test_a_word_that_the_language_lacks() -> None:
    text = GOOD.replace(HEAD, "from lossgen.language import Real, e, loss, sigmoyd\n\n\n")
    found = faults_of(text)
    assert found == ["specs/tried.py:1: lossgen.language has no 'sigmoyd'. Did you mean 'sigmoid'?"]


def test_a_file_that_raises() -> None:
    found = faults_of(f"{HEAD}RATE = {{}}['none']\n{GOOD.removeprefix(HEAD)}")
    assert found == ["specs/tried.py:4: KeyError: 'none'"]
