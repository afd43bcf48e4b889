"""The functions of ``templates/triton``, interpreted or on a GPU, against mpmath."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from types import ModuleType

import mpmath as mp
import numpy as np
import pytest
import torch

from lossgen.backends.triton.maths import function_names, maths_source
from tests.machinery.importing import imported
from tests.native.cases import CASES
from tests.native.ends import ENDS, NAN, TOTAL
from tests.native.maths import Array, points, ulps
from tests.triton.made import DEVICE
from tests.triton.stated import NAMES, stated

KINDS = [np.float32, np.float64]
_HEAD = """\
import triton
import triton.language as tl


"""
_APPLY = """

@triton.jit
def apply{name}({pointers}, result_ptr, count, TILE: tl.constexpr):
    at = tl.program_id(0) * TILE + tl.arange(0, TILE)
    tl.store(result_ptr + at, {name}({reads}), at < count)
"""


@cache
def module() -> ModuleType:
    """Every function, and a kernel that applies it."""
    text = _HEAD + maths_source(function_names()) + "\n"
    for name in NAMES:
        pointers = [f"x{k}_ptr" for k in range(CASES[name].arguments)]
        reads = ", ".join(f"tl.load({x} + at, at < count, 1.0)" for x in pointers)
        text += _APPLY.format(name=own(name), pointers=", ".join(pointers), reads=reads)
    path = Path(tempfile.mkdtemp(prefix="lossgen-triton-")) / "maths.py"
    path.write_text(text, encoding="utf-8")
    return imported("triton_maths", path)


def own(name: str) -> str:
    """The name here of a function of the C backend."""
    return name.removeprefix("real")


def call(name: str, *arguments: Array) -> Array:
    """A function over arrays."""
    tensors = [torch.from_numpy(np.ascontiguousarray(x)).to(DEVICE) for x in arguments]
    result = torch.empty_like(tensors[0])
    kernel = getattr(module(), f"apply{own(name)}")
    kernel[(-(-len(result) // 1024),)](*tensors, result, len(result), TILE=1024)
    return result.cpu().numpy()


def worst(name: str, kind: type[np.floating]) -> tuple[float, list[float]]:
    """The largest error, and where."""
    case, at = CASES[name], points(CASES[name], kind)
    largest: tuple[float, list[float]] = (0.0, [])
    with mp.workprec(140):
        for value, *here in zip(call(name, *at), *at, strict=True):
            exactly = [mp.mpf(float(x)) for x in here]
            scale = case.scale(*exactly) if case.scale else None
            error = ulps(value, case.exact(*exactly), scale)
            largest = max(largest, (error, [float(x) for x in here]))
    return largest


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_error(name: str, kind: type[np.floating]) -> None:
    error, at = worst(name, kind)
    assert error <= CASES[name].limit, f"{error:.2f} ulp at {at}"
    said = stated()[own(name).lstrip("_")][kind is np.float64]
    assert error <= said + 0.25, f"{error:.2f} ulp at {at}: docs/triton-maths.md says {said}"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_ends(name: str, kind: type[np.floating]) -> None:
    rows = ENDS[name]
    if len(rows[0]) == 2 and name not in TOTAL:
        rows = (*rows, (NAN, NAN))
    *arguments, wanted = np.array(rows, dtype=kind).T
    found = call(name, *arguments)
    same = (found == wanted) & (np.signbit(found) == np.signbit(wanted))
    right = same | (np.isnan(found) & np.isnan(wanted))
    assert right.all(), [x[~right] for x in (*arguments, found)]
