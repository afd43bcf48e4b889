"""Names that a generated module may have beside those of its loss.

In: the helpers of plain torch.  Out: ``OWN_FUNCTIONS`` and ``OWN_CLASSES``, theirs and those of the
kernels' templates. A loss, or an author's function, that is called like one of them gets a longer
name.

It refuses nothing.
"""

from __future__ import annotations

import re

from lossgen.backends.torch_helpers import HELPERS

# What the templates define.
_FUNCTIONS = """
    a_number add_transpose applied both_ways call_ capability compiler dense digest folders
    gradient_like in_blocks is_interpreted is_known is_ordinary kept kernel_function kernels
    laid_out large_pages_free launch library load madvise may_scale native new_like on_device
    openmp_runtime part processor product pull pull_both_ways quotient raise_fault run shape
    shaped solved streamed stride strides sum tangents threads through_autograd tiles
    transformed triton_kernels turned types whole why_not zeros
"""
_CLASSES = "Call Device Differentiated InOrder Kept Native NoKernel Together View"


def _defined(keyword: str) -> frozenset[str]:
    """The names that the helpers define."""
    text = "\n".join(HELPERS.values())
    return frozenset(re.findall(rf"^{keyword} (_\w+)", text, re.MULTILINE))


OWN_FUNCTIONS = _defined("def") | {f"_{x}" for x in _FUNCTIONS.split()}
OWN_CLASSES = _defined("class") | {f"_{x}" for x in _CLASSES.split()}
