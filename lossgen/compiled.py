"""A loss compiled: its spec, its forward program and its backward program."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sympy.core.parameters import distribute

from lossgen.differentiate import Backward, differentiate
from lossgen.lower import lower
from lossgen.program import Program
from lossgen.schedule import with_guards
from lossgen.sharing import share
from lossgen.spec import TAKEN, LossSpec
from lossgen.stabilize import Rule, Stabilizer
from lossgen.static import ALWAYS


@dataclass(frozen=True, slots=True)
class Compiled:
    """What the backends print.

    Attributes:
        rules: the stability rules that fired.
        floating: the formula for a floating-point target.
        public_name: the functional name that errors are reported under.
    """

    spec: LossSpec
    forward: Program
    backward: Backward
    rules: tuple[Rule, ...]
    public_name: str
    floating: Compiled | None = None


def compile_loss(spec: LossSpec, public_name: str = "") -> Compiled:
    """Carry a spec through ``stabilize``, ``lower`` and ``differentiate``."""
    # SymPy would spread -2*(a + b) out; the author's grouping is kept.
    with distribute(False):
        stable = Stabilizer()
        item = stable(spec.item)
        over = None if spec.over is None else stable(spec.over)
        forward = share(lower(spec, item, over), {*TAKEN, *(p.name for p in spec.parameters)})
        forward = replace(
            forward, statements=with_guards(forward, dict.fromkeys(forward.results, ALWAYS))
        )
        backward = differentiate(forward)
        name = public_name or spec.functional_name
        floating = None if spec.floating is None else compile_loss(spec.floating, name)
    return Compiled(spec, forward, backward, tuple(stable.fired), name, floating)
