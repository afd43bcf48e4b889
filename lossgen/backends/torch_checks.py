"""The first lines of a functional form: what is checked, and how inputs get their dtype and layout.

No check reads a tensor's values: that would break tracing and stall a GPU.
"""

from __future__ import annotations

from dataclasses import dataclass

from lossgen.nodes import Letter
from lossgen.roles import Role
from lossgen.spec import LossSpec, Parameter, TensorArg

# Roles whose elements may also come as integers or booleans.
_COUNTS = frozenset(("Binary", "Probabilities", "Sign", "NonNegative", "Weight"))


@dataclass(frozen=True, slots=True)
class TorchChecks:
    """Validation and layout for one spec's functional form."""

    spec: LossSpec
    function: str

    @property
    def lead(self) -> TensorArg:
        """The tensor whose shape the others follow: the first of the highest rank."""
        required = [t for t in self.spec.tensors if not t.optional and not t.broadcast]
        return max(required or self.spec.tensors, key=lambda t: len(t.axes))

    @property
    def unbatched_rank(self) -> int | None:
        """The rank of the lead at which the sample axis is absent."""
        lead = self.lead
        if not self.spec.unbatched:
            return None
        return len(lead.axes) - (2 if lead.ragged is not None else 1)

    def lines(self, reductions: tuple[str, ...]) -> list[str]:
        """Everything before the computation."""
        refused = () if self.spec.floating is not None else self.spec.refused
        out = [*refusal_lines(refused, self.function), *self._reduction(reductions)]
        out += [line for p in self.spec.parameters for line in self._option(p)]
        out += self._numbers()
        out += [line for t in self.spec.tensors for line in self._dtype(t)]
        out += self._devices()
        out += self._shapes()
        out += self._cast()
        out += self._layout()
        return out

    # --- options ----------------------------------------------------------------------------

    def _reduction(self, names: tuple[str, ...]) -> list[str]:
        known = ", ".join(map(repr, names))
        text = f"{self.function}: reduction must be one of {known}, got {{reduction!r}}"
        return [f"if reduction not in ({known}):", f"    raise ValueError(f{text!r})"]

    def _option(self, parameter: Parameter) -> list[str]:
        role, name = parameter.role, parameter.name
        test = _outside(role, name)
        if not test:
            return []
        domain = role.domain
        text = f"{self.function}: {name} must be {domain}, got {{{name}!r}}"
        return [f"if {test}:", f"    raise ValueError(f{text!r})"]

    def _numbers(self) -> list[str]:
        """A broadcast tensor may be given as a number."""
        out: list[str] = []
        for t in self.spec.tensors:
            if self.takes_number(t):
                text = f"{self.function}: {t.name} must be {t.role.domain}, got {{{t.name}!r}}"
                out += [
                    f"if not isinstance({t.name}, Tensor):",
                    f"    if {_outside(t.role, t.name)}:",
                    f"        raise ValueError(f{text!r})",
                    f"    {t.name} = torch.full_like({self.lead.name}, {t.name})",
                ]
        return out

    def takes_number(self, t: TensorArg) -> bool:
        """Whether a Python number is accepted in place of a tensor."""
        return t.broadcast and not t.optional and t.role.name == "Positive"

    # --- tensors ----------------------------------------------------------------------------

    def _present(self, t: TensorArg, test: str) -> str:
        return f"{t.name} is not None and {test}" if t.optional else test

    def _dtype(self, t: TensorArg) -> list[str]:
        name = t.name
        if t.role.kind == "integer":
            test, want = f"{name}.dtype not in _INTEGERS", "integers"
        elif t.role.kind == "boolean":
            test, want = f"{name}.dtype != torch.bool", "torch.bool"
        elif (t.role.name in _COUNTS and t.name != self.lead.name) or (
            t.role.name == "Real" and t.name in ("target",)
        ):
            test, want = f"{name}.is_complex()", "real"
        else:
            test, want = f"not {name}.is_floating_point()", "floating point"
        text = f"{self.function}: {name} must be {want}, got {{{name}.dtype}}"
        return [f"if {self._present(t, test)}:", f"    raise TypeError(f{text!r})"]

    def _devices(self) -> list[str]:
        lead = self.lead.name
        out: list[str] = []
        for t in self.spec.tensors:
            if t.name != lead and t.axes:
                text = f"{self.function}: {t.name} is on {{{t.name}.device}}, {lead} on {{{lead}.device}}"
                test = f"{t.name}.device != {lead}.device"
                out += [f"if {self._present(t, test)}:", f"    raise ValueError(f{text!r})"]
        return out

    # --- shapes -----------------------------------------------------------------------------

    def _shapes(self) -> list[str]:
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
            text = f"{self.function}: {lead.name} must be {shape}{also}, got shape {{list({lead.name}.shape)}}"
            if self.labels is not None:
                test = f"{lead.name}.ndim > {least}"
            if lowest > 0 or lead.ragged is None:
                out += [f"if {test}:", f"    raise ValueError(f{text!r})"]
        if self.labels is not None:
            out += self._lone_scores(self.labels)
        elif unbatched is not None:
            out.append(f"unbatched = {lead.name}.ndim == {unbatched}")
            out += self._unsqueezed("unbatched")
        out += self._fixed_sizes(lead)
        for t in self.spec.tensors:
            if t.name != lead.name:
                out += self._follows(t)
        return out

    @property
    def labels(self) -> TensorArg | None:
        """The class labels of a loss over one row of scores a sample."""
        if not self.spec.unbatched or self.lead.ragged is not None:
            return None
        return next((t for t in self.spec.tensors if t.role.kind == "integer"), None)

    def _lone_scores(self, labels: TensorArg) -> list[str]:
        """Scores without a sample axis; as in torch, one score is one class, one label may be [1]."""
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

    def _unsqueezed(self, test: str) -> list[str]:
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
                text = f"{self.function}: {t.name} must be {shape_text(t.axes)}, got shape {{list({t.name}.shape)}}"
                out += [
                    f"if {t.name}.shape[{at}] != {axis.name}:",
                    f"    raise ValueError(f{text!r})",
                ]
        return out

    def _follows(self, t: TensorArg) -> list[str]:
        lead = self.lead
        mine, theirs = self._shown(t), self._shown(lead)
        got = f"got {t.name} {{{mine}}} and {lead.name} {{{theirs}}}"
        if t.broadcast:
            text = f"{self.function}: {t.name} must broadcast to {lead.name}'s shape, {got}"
            out: list[str] = []
            out += self.missing_dimension(t)
            rule = "_aligns" if self.takes_number(t) else "_broadcasts"
            test = f"not {rule}({t.name}.shape, {lead.name}.shape)"
            out += [f"if {self._present(t, test)}:", f"    raise ValueError(f{text!r})"]
            return out
        if not t.axes:
            text = f"{self.function}: {t.name} must be 0-dimensional, got shape {{list({t.name}.shape)}}"
            return [
                f"if {self._present(t, f'{t.name}.ndim != 0')}:",
                f"    raise ValueError(f{text!r})",
            ]
        known = {axis: self._slice(axis) for axis in t.axes}
        text = f"{self.function}: {t.name} must be {shape_text(t.axes)}, {got}"
        if all(known.values()):
            want = merged([k for k in known.values() if k is not None])
            test = f"{t.name}.shape != {want}"
            return [f"if {self._present(t, test)}:", f"    raise ValueError(f{text!r})"]
        tests = [f"{t.name}.ndim != {len(t.axes)}"]
        for place, axis in enumerate(t.axes):
            source = known[axis]
            if source is not None:
                tests.append(f"{t.name}.shape[{place}] != {source[0]}.shape[{source[1]}]")
        test = " or ".join(tests)
        test = f"({test})" if t.optional else test
        return [
            f"if {self._present(t, test)}:",
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

    def _shown(self, t: TensorArg) -> str:
        """The shape of a tensor as the caller gave it."""
        if self.labels is not None and t.name in (self.lead.name, self.labels.name):
            return f"{t.name}_shape"
        batched = self.unbatched_rank is not None and self.lead.axes[0] in t.axes
        return f"list({t.name}.shape{'[unbatched:]' if batched else ''})"

    def _slice(self, axis: Letter) -> tuple[str, int | None, int | None, int] | None:
        """Where the size of an axis stands: tensor, start, stop and the tensor's axis count."""
        for t in (self.lead, *self.spec.tensors):
            if axis in t.axes and not t.optional and not t.broadcast:
                place, ragged, count = t.axes.index(axis), t.ragged, len(t.axes)
                if ragged is None or place < ragged:
                    return t.name, place, place + 1 if place + 1 < count else None, count
                if place == ragged:
                    after = count - place - 1
                    return t.name, place, -after if after else None, count
                back = place - count
                return t.name, back, back + 1 if back + 1 else None, count
        return None

    # --- dtype and layout -------------------------------------------------------------------

    def _cast(self) -> list[str]:
        real = [t for t in self.spec.tensors if t.role.kind == "real"]
        lead = self.lead.name
        if len(real) == 1:
            out = [f"dtype = {real[0].name}.dtype"]
        elif len(real) == 2 and not any(t.optional for t in real):
            out = [f"dtype = torch.promote_types({real[0].name}.dtype, {real[1].name}.dtype)"]
        else:
            out = [f"dtype = _common_dtype({', '.join(t.name for t in real)})"]
        out += [
            "compute = torch.promote_types(dtype, torch.float32)",
            f"if _in_autocast({lead}.device.type):",
            "    dtype = compute",
        ]
        for t in self.spec.tensors:
            if t.role.kind == "real":
                call = f"{t.name}.to(compute)"
                out.append(
                    f"{t.name} = None if {t.name} is None else {call}"
                    if t.optional
                    else f"{t.name} = {call}"
                )
            elif t.role.kind == "integer":
                out.append(f"{t.name} = {t.name}.long()")
        return out

    def _layout(self) -> list[str]:
        out: list[str] = []
        lead = self.lead
        shape = self.output_shape()
        if shape:
            out.append(f"shape = {shape}")
        for t in self.spec.tensors:
            code = flattened(t, f"{t.name}.expand({lead.name}.shape)" if t.broadcast else t.name)
            if code == t.name:
                continue
            out.append(
                f"{t.name} = None if {t.name} is None else {code}"
                if t.optional
                else f"{t.name} = {code}"
            )
        # A broadcast tensor takes the lead's shape before the lead changes its own.
        return sorted(out, key=lambda line: (not line.startswith("shape"), ".expand(" not in line))

    def output_shape(self) -> str:
        """Code for the shape of the unreduced loss, where it is not the shape computed in."""
        letters = [self.spec.axes[x] for x in self.item_letters()]
        if not any(x.name == "s" for x in letters):
            return ""
        slices = [self._slice(x) for x in letters]
        return merged([x for x in slices if x is not None])

    def item_letters(self) -> list[Letter]:
        """The letters of the unreduced loss, in the order of the axes."""
        from lossgen.lower import item_letters

        return list(item_letters(self.spec))


def refusal_lines(names: tuple[str, ...], function: str) -> list[str]:
    """Arguments of old, refused by name."""
    if not names:
        return []
    test = " or ".join(f"{x} is not None" for x in names)
    verb = "are" if len(names) > 1 else "is"
    text = f"{function}: {' and '.join(names)} {verb} no longer supported; use reduction="
    return [f"if {test}:", f"    raise TypeError({text!r})"]


def flattened(t: TensorArg, code: str) -> str:
    """A tensor with its ragged axis as one dimension, whatever its number of dimensions, also none."""
    if t.ragged is None or t.axes[t.ragged].name == "e":
        return code
    after = len(t.axes) - t.ragged - 1
    if after == 0:
        return f"{code}.unsqueeze(-1).flatten({t.ragged})"
    return f"{code}.unsqueeze({t.ragged}).flatten({t.ragged}, {-after - 1})"


def shape_text(axes: tuple[Letter, ...], *, drop_ragged: bool = False) -> str:
    """``[N, C, *S]``; an axis of any shape is ``[*]``."""
    if axes and axes[0].name == "e":
        return "[*]"
    names = [f"*{a.name.upper()}" if a.name == "s" else a.name.upper() for a in axes]
    return f"[{', '.join(x for x in names if not (drop_ragged and x.startswith('*')))}]"


def merged(slices: list[tuple[str, int | None, int | None, int]]) -> str:
    """Code for shape slices one after another, neighbours joined."""
    joined: list[list[object]] = []
    for name, start, stop, count in slices:
        if joined and joined[-1][0] == name and joined[-1][2] == start and start is not None:
            joined[-1][2] = stop
        else:
            joined.append([name, start, stop, count])
    parts = []
    for name, start, stop, _ in joined:
        whole = start in (0, None) and stop is None
        parts.append(
            f"{name}.shape"
            if whole
            else f"{name}.shape[{start or ''}:{'' if stop is None else stop}]"
        )
    return " + ".join(parts) or "()"


def _rank_test(name: str, rank: int, unbatched: int | None) -> str:
    return (
        f"{name}.ndim != {rank}"
        if unbatched is None
        else f"{name}.ndim not in ({unbatched}, {rank})"
    )


def _outside(role: Role, name: str) -> str:
    if role.choices:
        return f"{name} not in {role.choices!r}"
    if role.kind != "real":
        return ""
    lower = (
        "" if role.lower is None else f"{name} {'>' if role.open_lower else '>='} {role.lower:g}"
    )
    upper = "" if role.upper is None else f"{name} <= {role.upper:g}"
    if lower and upper:
        return f"not {role.lower:g} {'<' if role.open_lower else '<='} {name} <= {role.upper:g}"
    return f"not {lower or upper}" if lower or upper else ""
