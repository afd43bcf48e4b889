"""How inputs get the dtype and the layout that the formula computes in.

In: the tensors of a spec.  Out: lines that promote, and that flatten ragged axes into one.

    input[n, c, *s]  →  input = input.to(compute); input = input.unsqueeze(-1).flatten(2)

It refuses nothing: dtypes and shapes were checked before.
"""

from __future__ import annotations

from dataclasses import dataclass

from lossgen.backends.torch_tensors import Tensors, merged
from lossgen.lower import item_letters
from lossgen.spec import TensorArg


@dataclass(frozen=True, slots=True)
class Casts(Tensors):
    """Prints promotion and layout."""

    def dtypes(self) -> list[str]:
        """The dtype of the result, and the one that the formula computes in."""
        real = [t for t in self.spec.tensors if t.role.kind == "real"]
        lead = self.lead.name
        if len(real) == 1:
            out = [f"dtype = {real[0].name}.dtype"]
        elif len(real) == 2 and not any(t.optional for t in real):
            out = [f"dtype = torch.promote_types({real[0].name}.dtype, {real[1].name}.dtype)"]
        else:
            out = [f"dtype = _common_dtype({', '.join(t.name for t in real)})"]
        return [
            *out,
            "compute = torch.promote_types(dtype, torch.float32)",
            f"if _in_autocast({lead}.device.type):",
            "    dtype = compute",
        ]

    def cast(self, dtype: str = "compute", *, narrow: str = "") -> list[str]:
        """Every tensor in the dtype that the formula computes in; ``narrow`` unless it is half."""
        out: list[str] = []
        for t in self.spec.tensors:
            if t.role.kind == "real":
                call = f"{t.name}.to({dtype})"
                if t.name == narrow:
                    out += [f"if {dtype} is not torch.float32:", f"    {t.name} = {call}"]
                    continue
                out.append(
                    f"{t.name} = None if {t.name} is None else {call}"
                    if t.optional
                    else f"{t.name} = {call}"
                )
            elif t.role.kind == "integer":
                out.append(f"{t.name} = {t.name}.long()")
        return out

    def layout(self) -> list[str]:
        """Every tensor with one dimension for each axis."""
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
        letters = [self.spec.axes[x] for x in item_letters(self.spec)]
        if not any(x.name == "s" for x in letters):
            return ""
        slices = [self.place(x) for x in letters]
        return merged([x for x in slices if x is not None])


def flattened(t: TensorArg, code: str) -> str:
    """A tensor with its ragged axis as one dimension, whatever number of them it was, also none."""
    if t.ragged is None or t.axes[t.ragged].name == "e":
        return code
    after = len(t.axes) - t.ragged - 1
    if after == 0:
        return f"{code}.unsqueeze(-1).flatten({t.ragged})"
    return f"{code}.unsqueeze({t.ragged}).flatten({t.ragged}, {-after - 1})"
