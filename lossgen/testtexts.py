"""Samples, cases and the shape of the result as code of a generated test.

In: rows, a spec.  Out: the calls that construct them, without what is left at its default.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from lossgen.nodes import Letter
from lossgen.spec import LossSpec
from lossgen.subscripts import extent, result_letters
from lossgen.testcases import CaseRow
from lossgen.testsamples import SampleRow


def sample_text(row: SampleRow, manners: Collection[str]) -> str:
    """A tensor's sample as the test constructs it."""
    shown = [repr(row.kind), repr(row.axes), repr(row.shape)]
    defaults = SampleRow("", "", (), ())
    names = ["low", "high", "extremes", "classes", "marked", "optional", "broadcast"]
    names += ["measured"] * ("long" in manners) + ["classes_at"] * ("confident" in manners)
    for name in names:
        if getattr(row, name) != getattr(defaults, name):
            shown.append(f"{name}={getattr(row, name)!r}")
    return f"Sample({', '.join(shown)})"


def case_text(row: CaseRow, formula_name: str, table: str) -> str:
    """A case as the test constructs it."""
    shown = [formula_name, table]
    for name in ("manner", "options", "given", "shapes", "start"):
        setting = getattr(row, name)
        if setting and setting != "plain":
            shown.append(f"{name}={_value_text(setting)}")
    return f"Case({', '.join(shown)})"


def _value_text(setting: Any) -> str:
    """As ``repr``, but with an infinity as Python can read it."""
    if isinstance(setting, dict):
        return "{" + ", ".join(f"{k!r}: {_value_text(v)}" for k, v in setting.items()) + "}"
    if isinstance(setting, float) and abs(setting) == float("inf"):
        return f'float("{setting}")'
    return repr(setting)


def result_shape_text(spec: LossSpec) -> str:
    """The expression for the shape of the unreduced loss."""
    parts: list[str] = []
    for letter in result_letters(spec):
        axis = spec.axes[letter]
        if axis.name == "e" and any(t.broadcast for t in spec.tensors):
            names = [t.name for t in spec.tensors if axis in t.axes]
            shapes = f"(tensors[k].shape for k in {names!r} if k in tensors)"
            parts.append(f"*torch.broadcast_shapes(*{shapes})")
        else:
            parts.append(_axis_text(spec, letter, axis))
    if len(parts) == 1 and parts[0].startswith("*"):
        return f"tuple({parts[0][1:]})"
    return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"


def _axis_text(spec: LossSpec, letter: Letter, axis: Letter) -> str:
    tensor = next(t for t in spec.tensors if axis in t.axes and not t.optional and not t.broadcast)
    place, shape = tensor.axes.index(axis), f'tensors["{tensor.name}"].shape'
    after = len(tensor.axes) - 1 - place
    if tensor.ragged == place:
        start, stop = place or "", f"-{after}" if after else ""
        return f"*{shape}[{start}:{stop}]" if start or stop else f"*{shape}"
    where = place if tensor.ragged is None or place < tensor.ragged else place - len(tensor.axes)
    below, above = extent(spec.item, letter)
    return f"{shape}[{where}]" + (f" - {below + above}" if below + above else "")
