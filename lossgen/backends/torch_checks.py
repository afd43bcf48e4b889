"""The first lines of a functional form: what is checked, and how inputs are made fit.

In: a ``LossSpec`` and the name that errors are reported under.  Out: lines of Python.

    margin: NonNegative  →  if not margin >= 0: raise ValueError(...)

The lines refuse wrong shapes, devices and options (``ValueError``) and dtypes (``TypeError``).
No check reads a tensor's values: that would break tracing and stall a GPU.
"""

from __future__ import annotations

from dataclasses import dataclass

from lossgen.backends.torch_casts import Casts
from lossgen.backends.torch_shapes import Shapes
from lossgen.backends.torch_tensors import COUNTS
from lossgen.roles import Role
from lossgen.spec import Parameter, TensorArg


@dataclass(frozen=True, slots=True)
class TorchChecks(Shapes, Casts):
    """Validation and layout for one spec's functional form."""

    def checks(self, reductions: tuple[str, ...]) -> list[str]:
        """What is refused, and the dtypes of the result and of the computation."""
        return [*self.refusals(reductions), *self.dtypes()]

    def refusals(self, reductions: tuple[str, ...]) -> list[str]:
        """What is refused, from options to shapes."""
        refused = () if self.spec.floating is not None else self.spec.refused
        out = [*refusal_lines(refused, self.function), *self._reduction(reductions)]
        out += [line for p in self.spec.parameters for line in self._option(p)]
        out += self.numbers()
        out += [line for t in self.spec.tensors for line in self._dtype(t)]
        out += self._devices()
        return [*out, *self.shapes()]

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

    def numbers(self) -> list[str]:
        """A broadcast tensor may be given as a number."""
        out: list[str] = []
        for t in self.spec.tensors:
            if self.takes_number(t):
                text = f"{self.function}: {t.name} must be {t.role.domain}, got {{{t.name}!r}}"
                out += [
                    f"if not isinstance({t.name}, Tensor):",
                    f"    if {_outside(t.role, t.name)}:",
                    f"        raise ValueError(f{text!r})",
                    f"    {t.name} = {self.full_like(t.name)}",
                ]
        return out

    def full_like(self, number: str) -> str:
        """A number as a tensor of the lead's shape."""
        if self.like == self.lead:
            return f"torch.full_like({self.lead.name}, {number})"
        return f"torch.full_like({self.lead.name}, {number}, dtype={self.like.name}.dtype)"

    # --- dtypes and devices -----------------------------------------------------------------

    def _dtype(self, t: TensorArg) -> list[str]:
        name = t.name
        if t.role.kind == "integer":
            test, want = f"{name}.dtype not in _INTEGERS", "integers"
        elif t.role.kind == "boolean":
            test, want = f"{name}.dtype != torch.bool", "torch.bool"
        elif t.name != self.like.name and (
            t.role.name in COUNTS or (t.role.name == "Real" and t.name == "target")
        ):
            test, want = f"{name}.is_complex()", "real"
        else:
            test, want = f"not {name}.is_floating_point()", "floating point"
        text = f"{self.function}: {name} must be {want}, got {{{name}.dtype}}"
        return [f"if {self.present(t, test)}:", f"    raise TypeError(f{text!r})"]

    def _devices(self) -> list[str]:
        lead = self.lead.name
        out: list[str] = []
        for t in self.spec.tensors:
            if t.name != lead and t.axes:
                found = f"{t.name} is on {{{t.name}.device}}, {lead} on {{{lead}.device}}"
                text = f"{self.function}: {found}"
                test = f"{t.name}.device != {lead}.device"
                out += [f"if {self.present(t, test)}:", f"    raise ValueError(f{text!r})"]
        return out


def refusal_lines(names: tuple[str, ...], function: str) -> list[str]:
    """Arguments of old, refused by name."""
    if not names:
        return []
    test = " or ".join(f"{x} is not None" for x in names)
    verb = "are" if len(names) > 1 else "is"
    text = f"{function}: {' and '.join(names)} {verb} no longer supported; use reduction="
    return [f"if {test}:", f"    raise TypeError({text!r})"]


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
