"""Which tensors a network usually computes, so that their gradient is taken.

In: a ``LossSpec``.  Out: their names.

    dice(input: Logits, target: Probabilities)  →  ("input",)

It refuses nothing: where all are given, the first that can have a gradient is taken for computed.
"""

from __future__ import annotations

from lossgen.spec import LossSpec

# What a tensor of such a name holds is given, not computed by a network.
GIVEN = ("target", "label", "teacher", "advantage", "old", "ref")
_GIVEN_ROLES = ("Weight", "Binary", "Sign")


def usually_learned(spec: LossSpec) -> tuple[str, ...]:
    """The tensors whose gradient is usually taken, of those that a caller must give."""
    able = [t for t in spec.tensors if not t.optional and t.role.kind == "real"]
    usual = [
        t.name
        for t in able
        if t.role.name not in _GIVEN_ROLES and t.name.partition("_")[0] not in GIVEN
    ]
    return tuple(usual or [t.name for t in able[:1]])
