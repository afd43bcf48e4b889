"""The signatures that a generated module must have, for its test.

In: a ``LossSpec``.  Out: names of arguments in order, and signatures as ``inspect`` shows them.
"""

from __future__ import annotations

from collections.abc import Sequence

from lossgen.spec import LossSpec, constructor_tensor
from lossgen.subscripts import argument_names


def constructor(spec: LossSpec) -> tuple[str, ...]:
    """What the class form takes when it is built."""
    tensors = [t.name for t in spec.tensors if constructor_tensor(t, spec.forward_weights)]
    return (*tensors, *(p.name for p in spec.parameters))


def plain_names(spec: LossSpec) -> tuple[str, ...]:
    """The arguments of the function style."""
    own = argument_names(spec)
    if spec.floating is not None:
        own += [p.name for p in spec.floating.parameters if p.name not in own]
    return tuple(own)


def signature(spec: LossSpec, names: Sequence[str]) -> str:
    """A signature without annotations, as ``inspect`` shows it."""
    specs = [spec] if spec.floating is None else [spec, spec.floating]
    known = {p.name: p for s in specs for p in s.parameters}
    required = {t.name for t in spec.tensors if not t.optional}
    shown = []
    for name in names:
        if name == "*" or name in required:
            shown.append(name)
        elif name == "reduction":
            shown.append(f"reduction='{spec.default_reduction}'")
        elif name in known:
            default = known[name].default
            shown.append(name if default is None else f"{name}={default!r}")
        else:
            shown.append(f"{name}=None")
    return f"({', '.join(shown)})"
