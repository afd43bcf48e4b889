"""The elementary functions of a Triton kernel: those it calls, and what they are built of.

In: the names that a kernel calls.  Out: Python text that defines them, each function once.

    maths_source({"_exp"})  →  _exp_tail, _bits, _from_bits, _exp_reduce, …, _exp

The text lies in ``templates/triton``, where each paragraph is a function that computes in the type
of its argument. Triton's own are less exact, or not there under its interpreter.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from functools import cache

from lossgen.backends.c import Unsupported
from lossgen.paths import shipped

_FILES = ("polynomials", "plain", "exp", "log", "logistic", "power", "angle", "error")
_PARAGRAPH = re.compile(r"(?=^@triton\.jit\n)", re.MULTILINE)


def maths_source(names: Collection[str]) -> str:
    """Python text that defines the functions called ``names`` and all that they call.

    Raises:
        Unsupported: for a name that is not defined.
    """
    texts = dict(_paragraphs())
    for name in sorted(names):
        if name not in texts:
            raise Unsupported(f"Triton has no function '{name.lstrip('_')}'")
    wanted, pending = set[str](), list(names)
    while pending:
        name = pending.pop()
        if name not in wanted:
            wanted.add(name)
            pending += [x for x in re.findall(r"\b_\w+(?=\()", texts[name]) if x in texts]
    return "\n\n\n".join(text for name, text in texts.items() if name in wanted)


def function_names() -> tuple[str, ...]:
    """All functions that there are."""
    return tuple(name for name, _ in _paragraphs())


@cache
def _paragraphs() -> tuple[tuple[str, str], ...]:
    return tuple(_read())


def _read() -> Iterator[tuple[str, str]]:
    for file in _FILES:
        text = (shipped("templates") / "triton" / f"{file}.py").read_text(encoding="utf-8")
        for paragraph in _PARAGRAPH.split(text):
            if found := re.match(r"@triton\.jit\ndef (\w+)", paragraph):
                yield found[1], paragraph.strip()
