"""docs/language.md names every word of the language, and its specs are specs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lossgen import language
from lossgen.compiled import compile_loss
from lossgen.roles import ROLES
from lossgen.spec import load_spec

PAGE = (Path(__file__).parents[2] / "docs" / "language.md").read_text(encoding="utf-8")
SPECS = dict(re.findall(r"```python\n(?=# specs/(\w+)\.py)(.*?)```", PAGE, re.DOTALL))


def test_every_word_is_named() -> None:
    code = " ".join(re.findall(r"`([^`\n]+)`", PAGE))
    assert {*language.__all__, *ROLES} - {*re.findall(r"\w+", code)} == set()


def test_no_other_option_of_the_decorator_is_named() -> None:
    table = PAGE[PAGE.index("## `@loss(...)`") :]
    named = {name for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
             for name in re.findall(r"\w+", row)}  # fmt: skip
    code = language.loss.__code__
    assert named == {*code.co_varnames[: code.co_kwonlyargcount]}


@pytest.mark.parametrize("name", SPECS)
def test_an_example_compiles(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"{name}.py"
    path.write_text(SPECS[name], encoding="utf-8")
    assert compile_loss(load_spec(path)).backward.gradients


def test_the_examples_are_found() -> None:
    assert len(SPECS) == PAGE.count("```python") == 4
