"""The header, and which changes of a file count as an edit."""

import subprocess
import sys

import pytest

from lossgen.stamp import Stamp, fingerprint, read_stamp, stamped

BODY = '''"""A module.

    Indented.
"""

import math

from torch import Tensor, nn


def half(x: Tensor) -> Tensor:  # [N]
    """Half of it."""
    return x * 0.5 + math.pi  # a reason


class Half(nn.Module):
    size = None
'''

SAME = {
    "line endings": BODY.replace("\n", "\r\n"),
    "quotes": BODY.replace('"""Half of it."""', "'''Half of it.'''"),
    "parentheses": BODY.replace("x * 0.5 + math.pi", "((x * 0.5) + math.pi)"),
    "wrapping": BODY.replace("x * 0.5 + math.pi", "(\n        x * 0.5\n        + math.pi\n    )"),
    "blank lines": BODY.replace("\n\n\n", "\n"),
    "comment spacing": BODY.replace("  # [N]", " #[N]"),
    "trailing spaces in a docstring": BODY.replace("Indented.", "Indented.   "),
    "docstring indentation": BODY.replace("    Indented.", "  Indented."),
    "number spelling": BODY.replace("0.5", ".50"),
    "imports split": BODY.replace("import Tensor, nn", "import nn\nfrom torch import Tensor"),
    "imports in another order": BODY.replace("import math\n\n", "").replace(
        "import Tensor, nn", "import Tensor, nn\nimport math"
    ),
}

OTHER = {
    "a number": BODY.replace("0.5", "0.25"),
    "a name": BODY.replace("half", "halve"),
    "a sign": BODY.replace("0.5 +", "0.5 -"),
    "a comment": BODY.replace("# a reason", "# another reason"),
    "a comment gone": BODY.replace("  # a reason", ""),
    "a docstring's words": BODY.replace("Half of it", "Half of that"),
    "an import": BODY.replace("import math", "import cmath as math"),
    "None for False": BODY.replace("None", "False"),
    "a line more": BODY + "\nprint()\n",
}


@pytest.mark.parametrize("body", SAME.values(), ids=SAME.keys())
def test_layout_is_no_edit(body: str) -> None:
    assert body != BODY
    assert fingerprint(body.replace("\r\n", "\n")) == fingerprint(BODY)


@pytest.mark.parametrize("body", OTHER.values(), ids=OTHER.keys())
def test_what_a_file_says_is_an_edit(body: str) -> None:
    assert body != BODY
    assert fingerprint(body) != fingerprint(BODY)


def test_a_stamp_is_read_back() -> None:
    stamp = Stamp("specs/half.py", "0123456789ab", "half")
    read, body = read_stamp(stamped(BODY, stamp))
    assert body == BODY
    assert read == Stamp("specs/half.py", "0123456789ab", "half", fingerprint(BODY))


def test_a_backend_that_is_not_the_default_is_named_and_read_back() -> None:
    text = stamped(BODY, Stamp("specs/half.py", "0123456789ab", "half", backend="compile"))
    assert text.splitlines()[1].endswith("Regenerate: lossgen generate half --backend compile")
    read, body = read_stamp(text)
    assert body == BODY
    assert read is not None
    assert (read.name, read.backend) == ("half", "compile")


def test_a_stamp_survives_line_endings_a_mark_and_a_licence_above() -> None:
    text = stamped(BODY, Stamp("specs/half.py", "0123456789ab", "half"))
    read, _ = read_stamp("\ufeff# Licence: ours\n" + text.replace("\n", "\r\n"))
    assert read is not None
    assert read.name == "half"


def test_the_header_is_short_and_names_no_day_and_no_machine() -> None:
    text = stamped(BODY, Stamp("specs/half.py", "0123456789ab", "half"))
    header = text.removesuffix(BODY).splitlines()
    assert len(header) == 2
    assert max(map(len, header)) <= 88
    assert header[1].endswith("Regenerate: lossgen generate half")


@pytest.mark.parametrize("cut", ["spec 0123456789ab", "body ", " Regenerate: lossgen"])
def test_a_damaged_header_is_told_from_none(cut: str) -> None:
    text = stamped(BODY, Stamp("specs/half.py", "0123456789ab", "half"))
    assert cut in text
    with pytest.raises(ValueError, match="header is damaged"):
        read_stamp(text.replace(cut, "", 1))
    assert read_stamp(BODY) == (None, BODY)


def test_the_hash_is_the_same_in_every_process() -> None:
    code = f"from lossgen.stamp import fingerprint; print(fingerprint({BODY!r}))"
    told = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert told == {fingerprint(BODY)}


def test_the_hash_does_not_depend_on_the_version_of_python() -> None:
    # Recorded once; another version of Python with other syntax-tree fields must agree.
    assert fingerprint(BODY) == "794857217184"
