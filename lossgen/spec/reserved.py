"""Names that the generated code uses itself.

No argument may have one (``RESERVED``); a part of the formula named so (``TAKEN``) gets another.
"""

_MODULES = "torch nn F math Tensor Any Callable Literal Sequence"
_BUILT_IN = "abs all any float isinstance len list max min sum super tuple zip"
_METHOD = "self ctx loss divisor grad_loss grad_divisor"
_LOCAL = (
    "reduction dtype dtypes compute compiling function apply shape unbatched zeros "
    "inputs outputs pull_back push_forward moving available tensors"
)

TAKEN = frozenset(f"{_MODULES} {_BUILT_IN} {_METHOD}".split())
RESERVED = TAKEN | frozenset(_LOCAL.split())
