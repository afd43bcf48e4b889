"""That GCC makes vector code of the loops that are meant for it, whatever the exponents."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.native.kernels import load

GCC = shutil.which("gcc")
pytestmark = pytest.mark.skipif(GCC is None, reason="no GCC")

# A choice that a box, an exponent or a clipped ratio makes, and what a label picks.
LOSSES = {
    "barron": ("ALPHA_NE_MINUS_INFINITY", "ALPHA_NE_0", "ALPHA_NE_2"),
    "asymmetric": ("MARGIN_GT_0",),
    "softmax_focal": ("GIVEN_ALPHA",),
    "cross_entropy": ("CROSS_ENTROPY", "LABEL_SMOOTHING_GT_0"),
    "tversky": (),
    "distillation_jsd": ("BETA_NE_0", "BETA_NE_1"),
    "siglip": (),
    "multilabel_margin": (),
    "vicreg": (),
    "giou": (),
    "ciou": (),
    "triplet_margin": ("P_EQ_2",),
    "grpo": ("GIVEN_OLD", "GIVEN_MASK", "GIVEN_REF"),
}


def scalar_loops(name: str, rows: bool, *holds: str) -> list[str]:
    """The first lines of the loops of which GCC made no vector code."""
    module = load(name)
    source = Path(str(module.__file__)).with_suffix(".c")
    text = source.read_text(encoding="utf-8")
    listed = re.findall(r"^//   (\S.*?)  ", text, re.MULTILINE)
    names = [word for line in listed for word in line.split(", ")]
    on = {"VALUE", next(x for x in names if x.startswith("NEED_")), *holds}
    assert on <= {*names}
    on |= {"ROWS"} if rows else set()
    values = {x: -1 if x.startswith("WHOLE_") else int(x in on) for x in names}
    defines = [f"-D{x}={value}" for x, value in values.items()]
    flags = [x for x in module._COMPILE if x != "-fPIC"]
    command = [GCC, *flags, *module._FLAGS[0].split(), *defines, "-c", str(source)]
    done = subprocess.run(
        [*command, "-o", "/dev/null", "-fopt-info-vec-optimized"],
        capture_output=True,
        text=True,
        check=True,
    )
    compiled = _compiled(command)
    vectors = {int(x) for x in re.findall(r":(\d+):\d+: optimized: loop vect", done.stderr)}
    lines = text.split("\n")
    found = []
    for at, line in enumerate(lines):
        if "#pragma omp simd" not in line or at + 1 not in compiled:
            continue
        head = lines[at + 1]
        if _left_out(lines, at, on):
            continue
        end = lines.index(f"{head[: len(head) - len(head.lstrip())]}}}", at)
        # GCC names a line of the body; that of the head may be of what starts a sum.
        if not any(at + 3 <= x <= end + 1 for x in vectors):
            found.append(lines[at + 2])
    assert compiled
    return found


def _compiled(command: list[str]) -> set[int]:
    """The lines that are compiled with these switches: the rest is left out by ``#if``."""
    text = subprocess.run(
        [*(x for x in command if x != "-c"), "-E"], capture_output=True, text=True, check=True
    ).stdout
    found, file, at = set(), "", 0
    for line in text.split("\n"):
        mark = re.match(r'# (\d+) "(.*?)"', line)
        if mark:
            at, file = int(mark[1]), mark[2]
            continue
        if file == command[-1] and "#pragma omp simd" in line:
            found.add(at)
        at += 1
    return found


def _left_out(lines: list[str], at: int, on: set[str]) -> bool:
    """Whether a loop is of a gradient that is not wanted, or of what a pass of floats has left."""
    indent = 99
    for line in reversed(lines[:at]):
        here = len(line) - len(line.lstrip())
        if line and here < indent:
            indent = here
            need = re.fullmatch(r" *if \((NEED_\w+)\) \{", line)
            if (need and need[1] not in on) or re.match(r" *if \(.*!CARRIED_", line):
                return True
    return False


@pytest.mark.parametrize("name", LOSSES)
def test_every_loop_becomes_vector_code(name: str) -> None:
    for rows in (False, True):
        assert scalar_loops(name, rows, *LOSSES[name]) == []
