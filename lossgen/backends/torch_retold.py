"""Names in a function that several runs of statements become.

In: the names that a thing has in each run.  Out: the name for all.

    ["gap", "near_gap", "between_gap"]  →  gap
    ["mean_input1", "mean_input2"], with z for input1 and input2  →  mean_z
    ["dot_centred1", "dot_centred2"]  →  dot_centred

It refuses nothing: where the names have no word in common, the first is as good as any.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence


def name_for_all(names: Sequence[str], instead: str = "") -> str:
    """The words that names have in common, in their order.

    Args:
        names: what one thing is called in each run.
        instead: its name where they have no word in common.
    """
    whole = [x.split("_") for x in names]
    plain = [[word.rstrip("0123456789") for word in x] for x in whole]
    numbered = all(x == plain[0] for x in plain[1:])
    found = _common(plain if numbered and whole[0] != whole[-1] else whole) or _common(plain)
    return "_".join(found) or instead or names[0]


def told_of(name: str, parameters: Mapping[str, str]) -> str:
    """A name, in which the names of arguments are those of the parameters."""
    words = name.split("_")
    # The longest first: near_gap is not a gap of near.
    for argument in sorted(parameters, key=len, reverse=True):
        inner = argument.split("_")
        for k in range(len(words) - len(inner) + 1):
            if words[k : k + len(inner)] == inner:
                words[k : k + len(inner)] = [parameters[argument]]
                break
    return "_".join(words)


def unlike(name: str, taken: Collection[str]) -> str:
    """The name, with a number where others have it already."""
    numbered = name
    number = 2
    while numbered in taken:
        numbered, number = f"{name}{number}", number + 1
    return numbered


def _common(names: Sequence[Sequence[str]]) -> list[str]:
    """The longest sequence of words that is in all of them."""
    shared = list(names[0])
    for other in names[1:]:
        shared = _longest(shared, other)
    return shared


def _longest(a: Sequence[str], b: Sequence[str]) -> list[str]:
    if not a or not b:
        return []
    if a[-1] == b[-1]:
        return [*_longest(a[:-1], b[:-1]), a[-1]]
    return max(_longest(a[:-1], b), _longest(a, b[:-1]), key=len)
