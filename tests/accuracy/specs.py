"""Small specs for these tests."""

from lossgen.accuracy.settings import Setting, settings
from lossgen.spec import LossSpec
from tests.compiler.catalogue import spec_of

PAIR = "input: Real[e], target: Real[e]"
SCORE = "input: Logits[e]"
ROWS = "input: Logits[n, c], target: ClassIndex[n]"


def elementwise(body: str, arguments: str = PAIR) -> LossSpec:
    """A loss of one or two tensors, element by element."""
    return spec_of(body, arguments, "small")


def default(spec: LossSpec) -> Setting:
    """Its default setting."""
    return settings(spec)[0]
