"""Every form of a loss and the limit, measured in one process, round by round in turn.

In: a compiled loss, its generated modules, a ``Request``. Out: a ``Bench``. Imports torch, so
imported late.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from lossgen.accuracy.settings import settings
from lossgen.bench import against, limit, memory, shapes, timing
from lossgen.bench.bound import FRESH, PRODUCTS, WARM, bounds, limit_of, traffic_of
from lossgen.bench.forms import FUNCTION, Form, Skipped, compiled, generated, others, quiet
from lossgen.bench.request import Request, Sizes, check_axes
from lossgen.bench.results import Bench, Measured, Spread, spread
from lossgen.bench.tensors import learned, make, passed, shape_of
from lossgen.compiled import Compiled
from lossgen.errors import LossgenError

Progress = Callable[[str, float], None]  # what is done now, and how much of all is done
Alone = Callable[[], AbstractContextManager[object]]  # held from the first round to the last
_MOST_FOR_REFERENCE = 30_000_000  # elements: float64 needs eight times the memory of float16


@dataclass(frozen=True)
class _Call:
    """What every form is called with."""

    tensors: Mapping[str, Tensor]
    upstream: Tensor | None
    device: str

    def step(self, form: Form) -> timing.Step:
        return timing.step_of(form.call, self.tensors, self.upstream)


def measure(
    loss: Compiled,
    modules: Mapping[str, Path],
    request: Request,
    skipped: tuple[Skipped, ...] = (),
    progress: Progress = lambda text, done: None,
    alone: Alone = nullcontext,
) -> Bench:
    """Measure a loss; what comes before `alone` is entered may run beside other work.

    Raises:
        LossgenError: where the request cannot be met: no such axis, device or gradient, or no form
            that runs.
    """
    spec = loss.spec
    sizes = _sizes(loss, request)
    gradients = learned(spec, request.gradients)
    dtype = getattr(torch, request.dtype)
    _check_device(request.device)
    before = torch.get_num_threads()
    if request.threads:
        torch.set_num_threads(request.threads)
    try:
        with quiet():
            return _measured(
                loss, modules, request, skipped, progress, alone, sizes, gradients, dtype
            )
    finally:
        torch.set_num_threads(before)


def _measured(
    loss: Compiled,
    modules: Mapping[str, Path],
    request: Request,
    skipped: tuple[Skipped, ...],
    progress: Progress,
    alone: Alone,
    sizes: Sizes,
    gradients: tuple[str, ...],
    dtype: torch.dtype,
) -> Bench:
    spec, device = loss.spec, request.device
    default = settings(spec)[0].options
    required = {p.name: default[p.name] for p in spec.parameters if p.default is None}
    progress("making tensors", 0.0)
    call = _call(loss, request, sizes, gradients, dtype)
    timing.settle(device)
    _wake(call, compiler=request.compiled or "compile" in modules)

    ours, broken = generated(spec, modules, required, keep=request.keep)
    theirs, missing = others(spec, default)
    if not ours:
        raise LossgenError("\n".join(f"{x.name}: {x.reason}" for x in broken))
    left = [*skipped, *broken, *missing]
    first: dict[str, float] = {}
    forms = _running([*ours, *theirs], call, first, left, progress)
    best = _best([f for f in forms if f.kind == "peer"], call)
    if request.compiled:
        wanted = [f for f in forms if f.name in (FUNCTION, best)]
        forms += _running([compiled(f) for f in wanted], call, first, left, progress)
    if not forms:
        raise LossgenError("\n".join(f"{x.name}: {x.reason}" for x in left))

    moved = traffic_of(loss, sizes, gradients, dtype)
    bytes_ = limit.Bytes(moved, device)
    functions = torch.float64 if dtype == torch.float64 else torch.float32
    products = limit.product_steps(moved.products, functions, device)
    steps = {f.name: call.step(f) for f in forms}
    steps[FRESH], steps[WARM] = bytes_.step(fresh=True), bytes_.step(fresh=False)
    if products is not None:
        steps[PRODUCTS] = products
    gc.collect()
    done = 0

    def one_more() -> None:
        nonlocal done
        done += 1
        progress(f"round {done} of {request.rounds}", 0.3 + 0.5 * done / request.rounds)

    with alone():
        seconds = timing.in_turn(steps, request.rounds, device, one_more)
        floor = limit.floor(moved.functions, functions, device)
        bound = limit_of(moved, seconds, floor)
        progress("memory and error", 0.82)
        found = _errors(forms, call, request)
        progress("a small batch", 0.9)
        small = _small(loss, forms, request, gradients, dtype) if request.small else {}
        held = {f.name: _held(f, call) for f in forms}
    progress("done", 1.0)
    return Bench(
        name=spec.name,
        shapes={t.name: shape_of(t, sizes) for t in passed(spec)},
        sizes=sizes,
        small_sizes=shapes.small_sizes(spec) if request.small else {},
        gradients=gradients,
        dtype=request.dtype,
        device=device,
        threads=torch.get_num_threads(),
        rounds=request.rounds,
        upstream=request.upstream,
        torch=torch.__version__,
        processor=_processor(device),
        limit=bound,
        forms=tuple(
            Measured(
                name=f.name,
                kind=f.kind,
                seconds=spread(seconds[f.name]),
                to_limit=_ratio(seconds[f.name], bounds(seconds, floor, warm=f.warm)),
                to_peer=_ratio(seconds[f.name], seconds[best]) if best else None,
                first=first[f.name],
                small=small.get(f.name),
                peak=held[f.name][0],
                kept=held[f.name][1],
                value_error=found[f.name][0],
                gradient_error=found[f.name][1],
            )
            for f in forms
        ),
        best_peer=best,
        skipped=tuple((x.name, x.reason) for x in left),
    )


def _sizes(loss: Compiled, request: Request) -> dict[str, tuple[int, ...]]:
    spec = loss.spec
    ragged = sorted({t.axes[t.ragged].name for t in spec.tensors if t.ragged is not None})
    check_axes(request.sizes, shapes.axes_of(spec), ragged)
    sizes = shapes.usual_sizes(loss, request.elements)
    # Scores [n, c] of told sizes have no positions in space, unless these are told as well.
    bare = dict.fromkeys(ragged, ()) if request.sizes and "n" in sizes else {}
    return {**sizes, **bare, **request.sizes}


def _check_device(device: str) -> None:
    try:
        kind = torch.device(device).type
    except RuntimeError as fault:
        raise LossgenError(f"--device '{device}': {str(fault).splitlines()[0]}") from fault
    if kind == "cpu":
        return
    if kind != "cuda":
        raise LossgenError(f"--device '{device}': losses are measured on cpu and cuda.")
    if not torch.cuda.is_available():
        raise LossgenError(
            f"--device '{device}': torch {torch.__version__} finds no CUDA device. Leave "
            "--device out to measure on the CPU."
        )


def _call(
    loss: Compiled,
    request: Request,
    sizes: Sizes,
    gradients: tuple[str, ...],
    dtype: torch.dtype,
) -> _Call:
    tensors = make(loss.spec, sizes, dtype, request.device, gradients)
    upstream = None
    if request.upstream != 1.0:
        upstream = torch.tensor(request.upstream, dtype=dtype, device=request.device)
    return _Call(tensors, upstream, request.device)


def _wake(call: _Call, *, compiler: bool) -> None:
    """Start torch's threads, its autograd and its compiler, so that no form pays for them."""
    if compiler:
        with suppress(Exception):  # a form that needs it will say what is wrong
            torch.compile(torch.neg)(torch.ones(8, device=call.device, requires_grad=True))
    for x in call.tensors.values():
        if x.requires_grad:
            torch.autograd.backward((x * 2).sum())
            x.grad = None
    timing.synchronise(call.device)


def _running(
    forms: list[Form],
    call: _Call,
    first: dict[str, float],
    left: list[Skipped],
    progress: Progress,
) -> list[Form]:
    """The forms that run, with the seconds of their first call; the others join those left out."""
    kept = []
    for form in forms:
        progress(f"first call of {form.name}", 0.05 + 0.03 * len(first))
        try:
            first[form.name] = timing.seconds(call.step(form), call.device)
        except Exception as fault:  # whatever other packages and compilers raise
            left.append(Skipped(form.name, f"{type(fault).__name__}: {_line(fault)}"))
            continue
        if why := form.fallback():
            left.append(Skipped(form.name, why))
            continue
        kept.append(form)
    return kept


def _line(fault: Exception) -> str:
    return (str(fault).strip() or "no message").splitlines()[0][:200]


def _best(peers: list[Form], call: _Call) -> str:
    """The name of the fastest of other packages' forms."""
    if len(peers) < 2:
        return peers[0].name if peers else ""
    seconds = timing.in_turn({f.name: call.step(f) for f in peers}, 3, call.device)
    return min(seconds, key=lambda name: spread(seconds[name]).median)


def _ratio(of: list[float], by: list[float]) -> Spread:
    return spread([a / b for a, b in zip(of, by, strict=True)])


def _errors(
    forms: list[Form], call: _Call, request: Request
) -> dict[str, tuple[float | None, float | None]]:
    plain = next((f for f in forms if f.name == FUNCTION), None)
    elements = max((x.numel() for x in call.tensors.values()), default=0)
    if plain is None or elements > _MOST_FOR_REFERENCE:
        return {f.name: (None, None) for f in forms}
    truth = against.reference(plain.call, call.tensors, request.upstream)
    return {f.name: against.errors(f.call, call.tensors, request.upstream, truth) for f in forms}


def _held(form: Form, call: _Call) -> tuple[int, int]:
    return (
        memory.peak(call.step(form), call.tensors, call.device),
        memory.kept(form.call, call.tensors),
    )


def _small(
    loss: Compiled,
    forms: list[Form],
    request: Request,
    gradients: tuple[str, ...],
    dtype: torch.dtype,
) -> dict[str, Spread]:
    call = _call(loss, request, shapes.small_sizes(loss.spec), gradients, dtype)
    kept = _running(forms, call, {}, [], lambda text, done: None)
    seconds = timing.in_turn({f.name: call.step(f) for f in kept}, request.rounds, call.device)
    return {name: spread(values) for name, values in seconds.items()}


def _processor(device: str) -> str:
    if device != "cpu":
        return torch.cuda.get_device_name(device)
    return f"CPU, {torch.backends.cpu.get_cpu_capability()}"
