"""LossGen: one formula in, proven PyTorch out.

``lossgen.verify(code, formula)`` and ``lossgen.assert_holds(code, formula)`` prove or refute
anybody's loss; they are imported when they are first used, for they need torch and SymPy.
"""

from typing import Any

__version__ = "0.1.0"

_LATE = ("Report", "assert_holds", "verify")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATE})


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module 'lossgen' has no attribute {name!r}")
    from importlib import import_module

    if name == "verify":
        return import_module("lossgen.verify")
    return getattr(import_module("lossgen.verify.api"), name)
