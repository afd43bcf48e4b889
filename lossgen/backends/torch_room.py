"""Memory that a function lets go before it ends.

In: the lines of a function, and which of its values are large.  Out: the lines, with a ``del``
below the last that reads such a value, where one below it makes another:

    unit1 = centred / torch.sqrt(mean_square + eps)
    del centred  # makes room
    centred2 = input2 - mean_input2

A name would hold its memory until the function returns. Two names of one piece of memory, the
second of which an operation in place gives, are let go together.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

_ASSIGNED = re.compile(r"^ *((?:\w+, )*\w+) = ")
_IN_PLACE = re.compile(r"^ *(\w+) = (\w+)\.\w+_\(")


def with_room(
    lines: Sequence[str], large: Collection[str], kept: Collection[str], usual: Collection[str]
) -> list[str]:
    """The lines, with what lets go of large values.

    Args:
        lines: of a function, one for each statement.
        large: the values that are as large as its largest input.
        kept: those that it returns.
        usual: what says which gradients are usually asked for: for others alone no room is made.
    """
    return _Room(lines, frozenset(large), frozenset(kept), frozenset(usual)).lines()


class _Room:
    def __init__(
        self,
        given: Sequence[str],
        large: frozenset[str],
        kept: frozenset[str],
        usual: frozenset[str],
    ) -> None:
        self.given, self.large, self.kept, self.usual = given, large, kept, usual
        self.made: dict[str, list[int]] = {}
        self.read: dict[str, int] = {}
        for k, line in enumerate(given):
            if found := _ASSIGNED.match(line):
                for x in found[1].split(", "):
                    self.made.setdefault(x, []).append(k)
            if not line.lstrip().startswith("#"):
                self.read.update(dict.fromkeys(re.findall(r"\b[a-zA-Z_]\w*\b", line), k))

    def lines(self) -> list[str]:
        """The new lines."""
        after: dict[int, list[str]] = {}
        for names in self._memory():
            last = max(self.read[x] for x in names)
            if not self._stays(names, last) and self._makes_more(last):
                after.setdefault(last, []).extend(names)
        out: list[str] = []
        said = "  # makes room"
        for k, line in enumerate(self.given):
            out.append(line)
            if k in after:
                out.append(f"{' ' * self._indent(k)}del {', '.join(after[k])}{said}")
                said = ""
        return out

    def _memory(self) -> list[list[str]]:
        """The large values, those together that share their memory."""
        groups: dict[str, list[str]] = {}
        for name in self.made:
            found = _IN_PLACE.match(self.given[self.made[name][0]])
            if found and found[2] in groups:
                groups[found[2]].append(name)
                groups[name] = groups[found[2]]
            elif name in self.large:
                groups[name] = [name]
        return [names for first, names in groups.items() if names[0] == first]

    def _stays(self, names: Sequence[str], last: int) -> bool:
        """Whether values are returned, or may not be there below the line that reads them last."""
        if self.given[last].endswith(":"):
            return True
        return any(
            x in self.kept or len(self.made[x]) > 1 or not self._there(self.made[x][0], last)
            for x in names
        )

    def _there(self, made: int, last: int) -> bool:
        """Whether what one line makes is there for certain below another."""
        indent = self._indent(made)
        if self._indent(last) < indent:
            return False
        here, other = self._start(made, indent), self._start(last, indent)
        # Two branches under one condition are one block, interrupted.
        heads = {self.given[k - 1] for k in (here, other) if k}
        interrupted = len(heads) == 1 and self.given[here - 1].startswith("if ")
        return here == other or (bool(here) and bool(other) and interrupted)

    def _start(self, at: int, indent: int) -> int:
        """The first line of the block of that depth that a line stands in."""
        while at and self._indent(at - 1) >= indent:
            at -= 1
        return at

    def _indent(self, at: int) -> int:
        return len(self.given[at]) - len(self.given[at].lstrip())

    def _makes_more(self, at: int) -> bool:
        """Whether a line below makes a large value, be it on its way to another."""
        rest = range(at + 1, len(self.given))
        return any(
            self.large & {*re.findall(r"\w+", self.given[k])}
            for k in rest
            if not _IN_PLACE.match(self.given[k]) and self._is_usual(k)
        )

    def _is_usual(self, at: int) -> bool:
        """Whether a line does not stand under a need of gradients that are seldom asked for."""
        depth = self._indent(at)
        for line in reversed(self.given[:at]):
            indent = len(line) - len(line.lstrip())
            if indent < depth:
                depth, needs = indent, {*re.findall(r"\bneed_\w+", line)}
                if needs and line.lstrip().startswith(("if ", "elif ")) and not needs & self.usual:
                    return False
        return True
