"""What is asked of the modules generated from a drawn formula.

The generated test holds the module against 50 digits, on a few small samples. What it finds right
there, the plain function under autograd, is then the measure on more: in other sizes and layouts,
under other options, of integers and of half precision, and in the kernels of a backend.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from benchmarks.drawn_formulas import Formula
from benchmarks.drawn_worlds import SETTINGS
from benchmarks.mutants import calls, claims
from lossgen.pipeline import source
from lossgen.spec import LossSpec, TensorArg
from tests.machinery.by_kernel import LAYOUTS
from tests.machinery.importing import imported

Form = Callable[..., Tensor]
# Of each axis, by the letter in the annotation; `s` and `e` stand for several dimensions.
SIZES: tuple[Mapping[str, tuple[int, ...]], ...] = (
    {"n": (5,), "c": (9,), "d": (4,), "m": (6,), "s": (2, 3), "t": (7,), "e": (7,)},
    {"n": (67,), "c": (33,), "d": (17,), "m": (40,), "s": (5, 7), "t": (70,), "e": (30, 101)},
    {"n": (1,), "c": (1,), "d": (1,), "m": (1,), "s": (1,), "t": (1,), "e": ()},
    {"n": (4,), "c": (2,), "d": (8,), "m": (3,), "s": (), "t": (2,), "e": (1, 3)},
    {"n": (0,), "c": (3,), "d": (3,), "m": (2,), "s": (4,), "t": (3,), "e": (0,)},
)
SKIPPED = ("test_compiled",)  # takes as long as all the others


@dataclass(frozen=True)
class Call:
    """Tensors and options that a loss is called with."""

    tensors: Mapping[str, Tensor]
    options: Mapping[str, Any]
    label: str

    def differentiated(
        self, form: Form, tensors: Mapping[str, Tensor], **extra: Any
    ) -> list[Tensor]:
        """The value, and the gradient of a weighted sum of it in every float."""
        leaves = {k: x.detach().requires_grad_(x.is_floating_point()) for k, x in tensors.items()}
        value = form(**leaves, **self.options, **extra)
        floats = [x for x in leaves.values() if x.requires_grad]
        weights = (torch.arange(value.numel()) % 7 + 4).to(value.dtype).reshape(value.shape) / 8
        if not value.requires_grad:
            return [value, *map(torch.zeros_like, floats)]
        slopes = torch.autograd.grad(
            value, floats, weights, allow_unused=True, materialize_grads=True
        )
        return [value.detach(), *slopes]

    def shaken(self) -> dict[str, Tensor]:
        """The tensors, the floats in them moved by some roundings."""
        draw = torch.Generator().manual_seed(1)
        moved = {}
        for name, x in self.tensors.items():
            moved[name] = x
            if x.is_floating_point():
                by = torch.randn(x.shape, generator=draw, dtype=x.dtype)
                moved[name] = x * (1 + 1e-12 * by)
        return moved


def refuted(test: ModuleType, skipped: Container[str] = SKIPPED) -> Iterator[str]:
    """What a generated test refutes of its module, claim by claim, on ordinary samples first."""
    for claim, function in claims(test):
        runs = list(calls(function)) if claim not in skipped else []
        found = filter(None, (_failure(function, x) for x in sorted(runs, key=_is_extreme)))
        if problem := next(found, ""):
            yield f"{claim} {problem}"


def _is_extreme(setting: Mapping[str, Any]) -> bool:
    return str(setting.get("name", "")).endswith(("extreme", "long", "short"))


def _failure(function: Callable[..., None], setting: dict[str, Any]) -> str:
    try:
        function(**setting)
    except pytest.skip.Exception:
        return ""
    except (Exception, pytest.fail.Exception) as error:  # whatever a module raises
        named = {k: v for k, v in setting.items() if k != "case"}
        said = " ".join(str(error).split())
        mark = "EXTREME " if _is_extreme(setting) else ""
        return f"{mark}{named}: {type(error).__name__} {said[:200]}"
    return ""


def built(spec: LossSpec, folder: Path, backend: str) -> ModuleType | None:
    """The module of a backend with kernels, if the loss has some."""
    made = source(spec, (), backend)
    if made.kernels is None:
        return None
    path = folder / f"{spec.name}_{backend}.py"
    path.write_text(made.module, encoding="utf-8")
    beside = path.with_suffix(".c") if made.ending == ".c" else folder / f"{path.stem}{made.ending}"
    beside.write_text(made.kernels, encoding="utf-8")
    return imported(f"drawn_{path.stem}", path)


def drawn_calls(spec: LossSpec, formula: Formula, random: Random) -> Iterator[Call]:
    """Calls in every size, with options and optional tensors as chance has it."""
    for number, sizes in enumerate(SIZES):
        draw = torch.Generator().manual_seed(random.randrange(2**30))
        options = {p.name: random.choice(SETTINGS[p.name]) for p in spec.parameters}
        tensors = {
            t.name: _values(t, formula, sizes, draw)
            for t in spec.tensors
            if not t.optional or random.random() < 0.5
        }
        yield Call(tensors, options, f"sizes {number}, {options}, {sorted(tensors)}")


def _values(
    tensor: TensorArg, formula: Formula, sizes: Mapping[str, tuple[int, ...]], draw: torch.Generator
) -> Tensor:
    shape: tuple[int, ...] = ()
    for axis in tensor.axes:
        shape += sizes[axis.name]
    share = torch.rand(shape, generator=draw, dtype=torch.float64)
    match tensor.role.name:
        case "Mask":
            return share > 0.4
        case "Binary":
            return (share > 0.5).double()
        case "Sign":
            return (share > 0.5).double() * 2 - 1
        case "Probabilities":
            return 0.05 + 0.9 * share
        case "Positive" | "NonNegative" | "Weight":
            return 0.1 + 2 * share
        case "LogProbabilities":
            return -0.05 - 2 * share
        case "ClassIndex":
            assert formula.world.labels is not None
            (classes,) = sizes[formula.world.labels[2]]
            return (share * classes).long()
    return torch.randn(shape, generator=draw, dtype=torch.float64)


def compared(call: Call, plain: Form, form: Form, **extra: Any) -> str:
    """Where a form is not the plain function, beyond what roundings of the inputs change."""
    try:
        wanted = call.differentiated(plain, call.tensors)
    except (IndexError, RuntimeError) as refused:  # of no positions there is no largest
        return "" if "dim" in str(refused) or "index" in str(refused) else f"plain: {refused}"
    if not wanted[0].isfinite().all():
        return ""  # the formula does not exist there
    moved = call.differentiated(plain, call.shaken())
    found = call.differentiated(form, call.tensors, **extra)
    for place, (got, want, near) in enumerate(zip(found, wanted, moved, strict=True)):
        problem = _apart(got, want, near)
        if problem:
            return f"{'value' if not place else f'gradient {place}'}: {problem}"
    return ""


def _apart(got: Tensor, want: Tensor, near: Tensor) -> str:
    if got.shape != want.shape:
        return f"shape {list(got.shape)} for {list(want.shape)}"
    known = want.isfinite() & near.isfinite() & (want.abs() < 1e150)
    noise = torch.where(known, (near - want).abs(), 0)
    largest = torch.where(known, want.abs(), 0).amax() if want.numel() else 0
    bound = 1e-9 * want.abs() + 1e-12 * largest + noise + 1e-13  # of terms about 1 that cancel
    wrong = known & ~((got - want).abs() <= bound)
    if not wrong.any():
        return ""
    k = int(wrong.flatten().nonzero()[0])
    count = int(wrong.sum())
    return f"{got.flatten()[k].item()} for {want.flatten()[k].item()}, {count} of {want.numel()}"


def functional(spec: LossSpec, call: Call, module: ModuleType, random: Random) -> Iterator[str]:
    """The functional form against the plain one: laid out otherwise, of integers, twice."""
    plain, form = getattr(module, spec.function_name), getattr(module, spec.functional_name)
    yield compared(call, plain, form)
    yield compared(call, plain, _laid_out(form, random))
    whole = {
        t.name
        for t in spec.tensors
        if t.role.name in ("Binary", "Probabilities") and not t.role.learnable
    }
    if whole:
        rounded = {k: x.round() if k in whole else x for k, x in call.tensors.items()}
        kinds = {k: random.choice((torch.bool, torch.int64)) for k in whole}

        def of_integers(**arguments: Any) -> Tensor:
            return form(**{k: x.to(kinds[k]) if k in whole and isinstance(x, Tensor) else x
                           for k, x in arguments.items()})  # fmt: skip

        call_ = Call(rounded, call.options, call.label)
        names = [k for k in call.tensors if call.tensors[k].is_floating_point()]
        yield _values_alike(call_, plain, of_integers, names)


def _values_alike(call: Call, plain: Form, form: Form, names: list[str]) -> str:
    """Only the value: integers have no gradient, and some roles take no integers."""
    with torch.no_grad():
        try:
            got = form(**call.tensors, **call.options)
        except TypeError as refused:
            return "" if "must be" in str(refused) else f"of integers: {refused}"
        want = plain(**call.tensors, **call.options)
        near = plain(**call.shaken(), **call.options)
    problem = _apart(got, want, near)
    return f"of integers: {problem}" if problem else ""


def _laid_out(form: Form, random: Random) -> Form:
    """A form, given its tensors in other layouts."""
    named = {k: v for k, v in LAYOUTS.items() if k != "expanded"}

    def call(**arguments: Any) -> Tensor:
        for name, x in arguments.items():
            if isinstance(x, Tensor) and x.dim() > 1:
                layout = random.choice(list(named))
                if layout != "channels last" or x.dim() == 4:
                    arguments[name] = named[layout](x)
        return form(**arguments)

    return call


def kernel(
    spec: LossSpec, call: Call, plain: Form, module: ModuleType, random: Random
) -> Iterator[str]:
    """The kernel against the plain function: each reduction, laid out otherwise, expanded."""
    form = getattr(module, spec.functional_name)
    yield compared(call, plain, form)
    yield compared(call, plain, _laid_out(form, random))
    alike = {
        k: x[:1].expand_as(x) if x.dim() and len(x) and random.random() < 0.5 else x
        for k, x in call.tensors.items()
    }
    yield compared(Call(alike, call.options, call.label), plain, form)
    yield _in_half(call, module, spec, random.choice((torch.float16, torch.bfloat16)))


def _in_half(call: Call, module: ModuleType, spec: LossSpec, dtype: torch.dtype) -> str:
    """In half precision: what float32 gives, rounded, for the same numbers."""
    form = getattr(module, spec.functional_name)
    low = {k: x.to(dtype) if x.is_floating_point() else x for k, x in call.tensors.items()}
    high = {k: x.float() if x.is_floating_point() else x for k, x in low.items()}
    for reduction in ("none", "mean"):
        halves = call.differentiated(form, low, reduction=reduction)
        singles = call.differentiated(form, high, reduction=reduction)
        for place, (a, b) in enumerate(zip(halves, singles, strict=True)):
            if a.dtype != dtype:
                return f"half: {place} is {a.dtype}"
            known = b[b.isfinite()].abs()
            scale = 1 + known.amax() if known.numel() else 1
            near = torch.finfo(dtype).eps * 2 * b.abs() + 1e-3 * scale
            wrong = b.isfinite() & (b.abs() < 6e4) & ~((a.float() - b).abs() <= near)
            if wrong.any():
                k = int(wrong.flatten().nonzero()[0])
                return f"half, {place}: {a.flatten()[k].item()} for {b.flatten()[k].item()}"
    return ""
