"""Checks of shapes: each tensor's rank, its fixed sizes, and the sizes it shares with others.

In: the tensors of a spec.  Out: lines that raise ``ValueError`` with both shapes.

    target[n] beside input[n, c]  →  if target.shape != input.shape[:1]: raise ValueError(...)

Sizes alone are checked here, which also compiling and tracing know.
"""

from __future__ import annotations

from dataclasses import dataclass

from lossgen.backends.layout import shape_text
from lossgen.backends.torch_tensors import Tensors, merged
from lossgen.spec import TensorArg


@dataclass(frozen=True, slots=True)
class Shapes(Tensors):
    """Prints the checks of shapes."""

    def shapes(self) -> list[str]:
        """The checks of all shapes, and the sample axis added where it is absent."""
        lead = self.lead
        out: list[str] = []
        shape = shape_text(lead.axes)
        least = len(lead.axes) - (1 if lead.ragged is not None else 0)
        unbatched = self.unbatched_rank
        if lead.axes and lead.axes[0].name != "e":
            lowest = least if unbatched is None else least - 1
            test = (
                f"{lead.name}.ndim < {lowest}"
                if lead.ragged is not None
                else _rank_test(lead.name, least, unbatched)
            )
            also = "" if unbatched is None else f" or {shape_text(lead.axes[1:], drop_ragged=True)}"
            text = self._wants(lead, f"{shape}{also}")
            if self.labels is not None:
                test = f"{lead.name}.ndim > {least}"
            if lowest > 0 or lead.ragged is None:
                out += [f"if {test}:", f"    raise ValueError(f{text!r})"]
        if self.labels is not None:
            out += self._lone_scores(self.labels)
        elif unbatched is not None:
            out.append(f"unbatched = {lead.name}.ndim == {unbatched}")
            out += self.unsqueezed("unbatched")
        out += self._fixed_sizes(lead)
        for t in self.spec.tensors:
            if t.name != lead.name:
                out += self._follows(t)
        return out

    def _lone_scores(self, labels: TensorArg) -> list[str]:
        """Scores without a sample axis; as in torch, one score is a class, one label may be [1]."""
        lead, rows = self.lead.name, len(labels.axes)
        given = [f"{x}_shape = list({x}.shape)" for x in (lead, labels.name)]
        single = [lead, *([labels.name] if rows > 1 else [])]
        return [
            *given,
            f"if {lead}.ndim == 0:",
            f"    {', '.join(single)} = {', '.join(f'{x}.unsqueeze(0)' for x in single)}",
            f"unbatched = {lead}.ndim == 1 and {labels.name}.ndim == {rows - 1}",
            f"if {lead}.ndim == 1:",
            f"    {lead} = {lead}.unsqueeze(0)",
            f"if {labels.name}.ndim == {rows - 1}:",
            f"    {labels.name} = {labels.name}.unsqueeze(0)",
        ]

    def unsqueezed(self, test: str) -> list[str]:
        """The sample axis of every tensor that has one, added where a test holds."""
        sample = self.lead.axes[0]
        having = [t for t in self.spec.tensors if sample in t.axes and not t.broadcast]
        required = [t.name for t in having if not t.optional]
        calls = ", ".join(f"{x}.unsqueeze(0)" for x in required)
        out = [f"if {test}:", f"    {', '.join(required)} = {calls}"]
        for t in having:
            if t.optional:
                out.append(f"    {t.name} = None if {t.name} is None else {t.name}.unsqueeze(0)")
        return out

    def _fixed_sizes(self, t: TensorArg) -> list[str]:
        out: list[str] = []
        for place, axis in enumerate(t.axes):
            if axis.name.isdigit():
                at = place - len(t.axes)
                text = self._wants(t, shape_text(t.axes))
                out += [
                    f"if {t.name}.shape[{at}] != {axis.name}:",
                    f"    raise ValueError(f{text!r})",
                ]
        return out

    def _follows(self, t: TensorArg) -> list[str]:
        lead = self.lead
        if t.broadcast:
            got = self._got(t, lead)
            text = f"{self.function}: {t.name} must broadcast to {lead.name}'s shape, {got}"
            out: list[str] = []
            out += self.missing_dimension(t)
            rule = "_aligns" if self.takes_number(t) else "_broadcasts"
            test = f"not {rule}({t.name}.shape, {lead.name}.shape)"
            out += [f"if {self.present(t, test)}:", f"    raise ValueError(f{text!r})"]
            return out
        if not t.axes:
            text = self._wants(t, "0-dimensional")
            return [
                f"if {self.present(t, f'{t.name}.ndim != 0')}:",
                f"    raise ValueError(f{text!r})",
            ]
        places = {axis: self.place(axis) for axis in t.axes}
        # What it is itself the first to have says nothing of its shape.
        known = {axis: None if at and at[0] == t.name else at for axis, at in places.items()}
        names = {at[0] for at in known.values() if at} or {lead.name}
        others = [x for x in self.spec.tensors if x.name in names]
        text = f"{self.function}: {t.name} must be {shape_text(t.axes)}, {self._got(t, *others)}"
        if all(known.values()):
            want = merged([k for k in known.values() if k is not None])
            test = f"{t.name}.shape != {want}"
            return [f"if {self.present(t, test)}:", f"    raise ValueError(f{text!r})"]
        count, ragged = len(t.axes), t.ragged if t.ragged is not None else len(t.axes)
        tests = [f"{t.name}.ndim {'!=' if ragged == count else '<'} {count - (ragged < count)}"]
        for place, axis in enumerate(t.axes):
            source = known[axis]
            if source is None:
                continue
            if place == ragged:
                after = place + 1 - count or ""
                tests.append(f"{t.name}.shape[{place}:{after}] != {merged([source])}")
            else:
                at = place - count if place > ragged else place
                tests.append(f"{t.name}.shape[{at}] != {source[0]}.shape[{source[1]}]")
        test = " or ".join(tests)
        test = f"({test})" if t.optional else test
        return [
            f"if {self.present(t, test)}:",
            f"    raise ValueError(f{text!r})",
            *self._fixed_sizes(t),
        ]

    def missing_dimension(self, t: TensorArg) -> list[str]:
        """A broadcast variance may lack the last dimension, as in torch."""
        lead = self.lead.name
        if not self.takes_number(t) or t.axes[0].name != "e":
            return []
        return [
            f"if {t.name}.shape == {lead}.shape[:-1] != {lead}.shape:",
            f"    {t.name} = {t.name}.unsqueeze(-1)",
        ]

    def _wants(self, t: TensorArg, shape: str) -> str:
        """The message about a tensor of another shape."""
        return f"{self.function}: {t.name} must be {shape}, got shape {{list({t.name}.shape)}}"

    def _got(self, *tensors: TensorArg) -> str:
        """What was given for them."""
        *texts, last = (f"{t.name} {{{self._shown(t)}}}" for t in tensors)
        return f"got {', '.join(texts)} and {last}"

    def _shown(self, t: TensorArg) -> str:
        """The shape of a tensor as the caller gave it."""
        if self.labels is not None and t.name in (self.lead.name, self.labels.name):
            return f"{t.name}_shape"
        batched = self.unbatched_rank is not None and self.lead.axes[0] in t.axes
        return f"list({t.name}.shape{'[unbatched:]' if batched else ''})"


def _rank_test(name: str, rank: int, unbatched: int | None) -> str:
    return (
        f"{name}.ndim != {rank}"
        if unbatched is None
        else f"{name}.ndim not in ({unbatched}, {rank})"
    )
