"""Looks at torch's operations while the code runs: what breaks first, broadcasts, rounds."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

Step = Callable[[Any, Any, Any], Any]


class Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """A mode in which ``step`` makes each operation; ``found`` is what it noticed first."""

    def __init__(self, step: Callable[[Watch, Any, Any, Any], Any]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.step, self.found = step, ""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self.step(self, func, args, kwargs or {})


def first_nonfinite() -> Watch:
    """Notices the first operation whose result is not finite though its inputs are."""

    def step(watch: Watch, func: Any, args: Any, kwargs: Any) -> Any:
        result = func(*args, **kwargs)
        if not watch.found:
            came = [x for x in tree_flatten((args, kwargs))[0] if _floats(x)]
            went = [x for x in tree_flatten(result)[0] if _floats(x)]
            bad = any(not bool(x.isfinite().all()) for x in went)
            if bad and all(bool(x.isfinite().all()) for x in came):
                watch.found = f"{func.overloadpacket.__name__}{_line()}"
        return result

    return Watch(step)


def narrowed() -> Watch:
    """Notices the first operation that makes single or half precision of double precision."""

    def step(watch: Watch, func: Any, args: Any, kwargs: Any) -> Any:
        result = func(*args, **kwargs)
        came = [x.dtype for x in tree_flatten((args, kwargs))[0] if _floats(x)]
        went = [x.dtype for x in tree_flatten(result)[0] if _floats(x)]
        less = [x for x in went if torch.finfo(x).bits < 64]
        if torch.float64 in came and less and not watch.found:
            name = str(less[0]).removeprefix("torch.")
            watch.found = f"float64 becomes {name}{_line()}"
        return result

    return Watch(step)


def broadcasts(fits: Callable[[tuple[int, ...]], bool]) -> Watch:
    """Notices the first operation whose result outgrows its inputs to a shape that does not fit."""

    def step(watch: Watch, func: Any, args: Any, kwargs: Any) -> Any:
        result = func(*args, **kwargs)
        came = [x for x in args if isinstance(x, Tensor)]
        name = func.overloadpacket.__name__
        widened = (
            isinstance(result, Tensor)
            and len(came) > 1
            and "mm" not in name
            and result.numel() > max(x.numel() for x in came)
            and result.dim() > min(x.dim() for x in came)
            and not fits(tuple(result.shape))
        )
        if widened and not watch.found:
            shapes = " and ".join(str(list(x.shape)) for x in came)
            watch.found = f"{name}{_line()} broadcasts {shapes} to {list(result.shape)}"
        return result

    return Watch(step)


def accelerated() -> Watch:
    """Half precision as accelerators have it: an operation works in single, its result is rounded.

    The CPU's own kernels also accumulate in half precision, which no code can help.
    """

    def step(watch: Watch, func: Any, args: Any, kwargs: Any) -> Any:
        if kwargs.get("dtype") is not None or func._schema.is_mutable or func.is_view:
            return func(*args, **kwargs)
        halves = [x for x in tree_flatten((args, kwargs))[0] if _halves(x)]
        result = func(*tree_map(_up, args), **tree_map(_up, kwargs))
        return tree_map(_down, result) if halves else result

    return Watch(step)


def _floats(x: Any) -> bool:
    return isinstance(x, Tensor) and x.is_floating_point()


def _halves(x: Any) -> bool:
    return isinstance(x, Tensor) and x.dtype is torch.float16


def _up(x: Any) -> Any:
    return x.float() if _halves(x) else x


def _down(x: Any) -> Any:
    return x.half() if isinstance(x, Tensor) and x.dtype is torch.float32 else x


def _line() -> str:
    """The line of the code that is running, outside torch and this package; none in backward."""
    here = str(Path(__file__).resolve().parents[1])
    frames = traceback.extract_stack()
    if any(frame.name == "_gradients" for frame in frames):
        return ""  # in backward torch runs its own operations: no line of the code is at work
    for frame in reversed(frames):
        path = Path(frame.filename)
        if "torch" not in path.parts and not frame.filename.startswith((here, "<")):
            return f" ({path.name}:{frame.lineno})"
    return ""
