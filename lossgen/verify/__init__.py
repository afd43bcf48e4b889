"""Proving or refuting code: our own by its generated test, anybody's against a formula.

``lossgen.verify(code, formula)`` is this package, called; see ``lossgen.verify.api.verify``.
"""

import sys
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    """A package that is a function too: ``lossgen.verify`` names both."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        from lossgen.verify.api import verify

        return verify(*args, **options)


sys.modules[__name__].__class__ = _Callable
