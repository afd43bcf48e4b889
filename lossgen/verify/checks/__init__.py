"""The checks: each takes a ``Session`` and gives a ``Check``, or None where
it is not about the formula.

``CHECKS`` lists them in the order in which they are made: what refutes most code comes first.
"""

from collections.abc import Callable, Mapping

from lossgen.verify.checks import (
    behaviour,
    dtypes,
    extremes,
    invariances,
    labels,
    large,
    layouts,
    modes,
    second,
    shapes,
    sizes,
    transforms,
    values,
    variants,
)
from lossgen.verify.session import Session
from lossgen.verify.verdict import Check

CHECKS: Mapping[str, Callable[[Session], Check | None]] = {
    "runs": behaviour.runs,
    "value and gradient": values.first,
    "every option and reduction": values.options,
    "ties": values.ties,
    "gradient of labels": labels.labels,
    "other dimensions": sizes.dimensions,
    "other sizes": sizes.sizes,
    "one sample": values.single,
    "nothing kept": values.empty,
    "ignored labels": labels.ignored,
    "inputs untouched": behaviour.untouched,
    "modes and calls": modes.modes,
    "extreme values": extremes.extremes,
    "second derivative": second.second,
    "memory layout": layouts.layouts,
    "probability targets": variants.probabilities,
    "unbatched input": variants.unbatched,
    "permuted positions": invariances.permuted_positions,
    "permuted classes": invariances.permuted_classes,
    "split batch": invariances.split,
    "half precision": dtypes.halves,
    "mixed precision": dtypes.mixed,
    "large tensors": large.large,
    "shapes": shapes.shapes,
    "vmap": transforms.vmapped,
    "jvp": transforms.forward_mode,
    "torch.compile": transforms.compiled,
}
