"""A spec may import the formula of another spec that lies beside it."""

from pathlib import Path

import pytest
import torch

from lossgen.errors import SpecError
from lossgen.pipeline import module_source
from lossgen.spec import load_spec

HEAD = "from lossgen.language import *\n"
BASE = f"""{HEAD}
SCALE = 2


@loss()
def base(input: Real[e], target: Real[e]):
    \"\"\"Base.\"\"\"
    error = input[e] - target[e]
    return SCALE * error**2 if error > 0 else error**2
"""
USER = f"""{HEAD}from base import base


@loss()
def user(input: Real[e], target: Real[e]):
    \"\"\"User.\"\"\"
    return base(input, target) + 1
"""


@pytest.fixture
def specs(tmp_path: Path) -> Path:
    folder = tmp_path / "specs"
    folder.mkdir()
    (folder / "base.py").write_text(BASE, encoding="utf-8")
    (folder / "user.py").write_text(USER, encoding="utf-8")
    return folder


def faults(path: Path) -> list[str]:
    with pytest.raises(SpecError) as caught:
        load_spec(path)
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("line", "call"),
    [
        ("from base import base", "base(input, target)"),
        ("from .base import base as other", "other(input, target)"),
        ("from base import *", "base(input, target)"),
        ("import base", "base.base(input, target)"),
        ("import base as other", "other.base(input, target)"),
    ],
)
def test_the_formula_of_another_spec(specs: Path, line: str, call: str) -> None:
    text = USER.replace("from base import base", line).replace("base(input, target)", call)
    (specs / "user.py").write_text(text, encoding="utf-8")
    namespace: dict[str, object] = {"__name__": "user"}
    exec(module_source(load_spec(specs / "user.py")), namespace)
    made = namespace["user_loss"]
    assert callable(made)
    x, y = torch.tensor([1.0, 3.0]), torch.tensor([2.0, 1.0])
    torch.testing.assert_close(made(x, y, reduction="none"), torch.tensor([2.0, 9.0]))


def test_a_loss_that_is_only_imported_is_not_the_files_own(specs: Path) -> None:
    (specs / "user.py").write_text("from base import base as user\n", encoding="utf-8")
    assert faults(specs / "user.py") == [
        "specs/user.py:1: no @loss function named 'user'. Define @loss() def user"
    ]


def test_the_hash_covers_what_is_imported(specs: Path) -> None:
    before = load_spec(specs / "user.py").source_hash
    (specs / "base.py").write_text(BASE.replace("SCALE = 2", "SCALE = 3"), encoding="utf-8")
    assert load_spec(specs / "user.py").source_hash != before


def test_a_misspelt_file(specs: Path) -> None:
    text = USER.replace("from base", "from bse")
    (specs / "user.py").write_text(text, encoding="utf-8")
    assert faults(specs / "user.py") == [
        "specs/user.py:2: a spec imports from lossgen.language and the specs beside it, not bse. "
        "Did you mean 'base'?"
    ]


def test_a_misspelt_loss(specs: Path) -> None:
    text = USER.replace("import base", "import bases").replace("base(", "bases(")
    (specs / "user.py").write_text(text, encoding="utf-8")
    assert faults(specs / "user.py") == [
        "specs/user.py:2: base has no 'bases'. Did you mean 'base'?"
    ]


def test_a_fault_of_the_other_file_names_that_file(specs: Path) -> None:
    (specs / "base.py").write_text(BASE.replace("error**2 if", "eror**2 if"), encoding="utf-8")
    assert faults(specs / "user.py") == [
        "specs/base.py:10: the name 'eror' is not defined. Did you mean 'error'?"
    ]


def test_what_the_other_file_raises_has_its_line(specs: Path) -> None:
    (specs / "base.py").write_text(BASE.replace("error**2 if", "error.no if"), encoding="utf-8")
    assert faults(specs / "user.py")[0].startswith("specs/base.py:10: an expression has no '.no'")


def test_a_circle(specs: Path) -> None:
    (specs / "base.py").write_text(f"from user import user\n{BASE}", encoding="utf-8")
    assert faults(specs / "user.py") == [
        "specs/base.py:1: specs import one another: specs/user.py imports specs/base.py imports "
        "specs/user.py. Move what they share into a third file"
    ]


def test_a_spec_that_imports_itself(specs: Path) -> None:
    (specs / "base.py").write_text(f"from base import base\n{BASE}", encoding="utf-8")
    assert "specs/base.py imports specs/base.py" in faults(specs / "base.py")[0]


def test_a_name_with_a_path_in_it_is_no_sibling(specs: Path) -> None:
    (specs / "inner").mkdir()
    (specs / "inner" / "base.py").write_text(BASE, encoding="utf-8")
    text = USER.replace("from base", "from inner.base")
    (specs / "user.py").write_text(text, encoding="utf-8")
    assert "the specs beside it, not inner.base" in faults(specs / "user.py")[0]
