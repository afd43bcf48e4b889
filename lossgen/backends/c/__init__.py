"""The ``c`` backend: one fused C kernel for a loss and its gradient, beside the module.

In: a ``Compiled`` loss.  Out: a page of PyTorch that calls the kernel, and the C file.

    loss[e] = (x[e] - y[e])**2; d_x[e] = …  →  one loop that reads x and y and writes d_x

A loss whose kernel cannot be written raises ``Unsupported``, with the reason; it stays eager.
"""

from lossgen.backends.c.unsupported import Unsupported

__all__ = ["Unsupported"]
