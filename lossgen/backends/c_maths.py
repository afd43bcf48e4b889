"""The elementary functions of a C kernel: those it calls, and what they are built of.

In: the names that a kernel calls. Out: C text that defines them, each function once and below what
it calls, whatever the order of the names.

    maths_source({"real_exp"})  →  the words of a real, exp_tail, exp_reduce, …, real_exp

The text lies in ``templates/c``. There each paragraph is a definition with its comment, for the
type ``real``, which the file that includes it declares, with ``REAL_IS_DOUBLE`` 0 or 1. It
refuses names that no paragraph defines.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from functools import cache

from lossgen.errors import LossgenError
from lossgen.paths import shipped

# Of each file the definitions use those above them and those of the files before it.
_FILES = (
    "words",
    "polynomials",
    "plain",
    "wide",
    "pair",
    "exp",
    "log",
    "logistic",
    "power",
    "whole",
    "angle",
    "error",
    "gamma",
)
_DEFINES = re.compile(
    r"^(?:inlined \w+ (\w+)\(|\} (\w+);$|typedef \w+ (\w+);$|#define (\w+))",
    re.MULTILINE,
)

_FUNCTION = re.compile(r"^static inline \w+ (\w+)\(", re.MULTILINE)


def maths_source(names: Collection[str]) -> str:
    """C text that defines the functions called ``names`` and all that they call.

    Raises:
        LossgenError: for a name that is not defined.
    """
    unknown = sorted(set(names) - set(function_names()))
    if unknown:
        raise LossgenError(f"the C backend has no function {', '.join(unknown)}")
    return _needed(_paragraphs(), set(names)) + "\n"


def support_source(code: str) -> str:
    """C text of what stands beside the mathematics, less functions that ``code`` never calls."""
    path = shipped("templates") / "c" / "support.c"
    texts = path.read_text(encoding="utf-8").strip().split("\n\n")
    paragraphs = [(frozenset(_FUNCTION.findall(text)), text) for text in texts]
    return _needed(paragraphs, {*re.findall(r"\w+", code)})


def _needed(paragraphs: Sequence[tuple[frozenset[str], str]], wanted: set[str]) -> str:
    """The paragraphs that define a word that is wanted, and all that these need in turn."""
    kept: list[str] = []
    for defined, text in reversed(paragraphs):
        # What defines no function, as the list of headers, is always there.
        if wanted & defined or not defined:
            wanted = wanted | {*re.findall(r"\w+", text)}
            kept.append(text)
    return "\n\n".join(reversed(kept))


@cache
def function_names() -> tuple[str, ...]:
    """All functions that a kernel may ask for, in the order of their definition."""
    found = (name for defined, _ in _paragraphs() for name in sorted(defined))
    return tuple(name for name in found if name.startswith("real_"))


@cache
def _paragraphs() -> tuple[tuple[frozenset[str], str], ...]:
    """Each paragraph of the files: the names it defines, and its text."""
    return tuple(_read())


def _read() -> Iterator[tuple[frozenset[str], str]]:
    folder = shipped("templates") / "c"
    for file in _FILES:
        for text in (folder / f"{file}.c").read_text(encoding="utf-8").strip().split("\n\n"):
            defined = {name for found in _DEFINES.findall(text) for name in found if name}
            yield frozenset(defined), text
