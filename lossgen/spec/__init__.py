"""A loss, read from its spec file and validated once.

In: a spec file, and those beside it that it imports. Out: a frozen ``LossSpec``.

    load_spec(Path("specs/dice.py")).tensors[0]
    TensorArg(name='input', role=Logits, axes=(n, c, s), broadcast=False, optional=False)

Refused, with file and line for every fault at once: text that is no Python, statements and names
that have no meaning in a formula, letters without an axis or with two, arguments without a role,
defaults outside their domain, results that are no formula.
"""

from lossgen.spec.data import (
    InnerCall,
    InnerFunction,
    LossSpec,
    Parameter,
    TensorArg,
    constructor_tensor,
)
from lossgen.spec.reading import load_spec, read_spec
from lossgen.spec.reserved import TAKEN

__all__ = [
    "TAKEN",
    "InnerCall",
    "InnerFunction",
    "LossSpec",
    "Parameter",
    "TensorArg",
    "constructor_tensor",
    "load_spec",
    "read_spec",
]
