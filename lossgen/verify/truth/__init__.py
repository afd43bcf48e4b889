"""The truth: a spec's formula at a point, with all its digits.

In: a ``LossSpec`` and a ``Point``. Out: ``Exact``: items, reductions, gradients and curvature as
mpmath numbers. The spec's expression is walked as it was written; nothing of the compiler's
rewrites, its adjoint or its printers has a say in it.
"""

from lossgen.verify.truth.exact import Exact, Undefined, evaluate
from lossgen.verify.truth.tape import DIGITS, mp

__all__ = ["DIGITS", "Exact", "Undefined", "evaluate", "mp"]
