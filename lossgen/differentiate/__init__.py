"""Statement-level reverse mode: from a forward program to its closed-form backward.

In: a checked ``Program``.  Out: a ``Backward``: statements that turn the gradient of the results
into the gradient of each input, and what they need of the forward.  One adjoint per statement; the
adjoint of a read follows from its subscripts.

    sim[i, j]   = sum_d z[i, d]*w[j, d]
    d_z[n, d]   = sum_j d_sim[n, j]*w[j, d]
    d_w[n, d]   = sum_i d_sim[i, n]*z[i, d]

A node without a derivative raises ``NoDerivative``.
"""

from lossgen.differentiate.chosen import with_choices_resolved
from lossgen.differentiate.reverse import Backward, differentiate

__all__ = ["Backward", "differentiate", "with_choices_resolved"]
