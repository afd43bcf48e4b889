"""The ``triton`` backend: kernels for CUDA tensors, in a Python file beside the module.

In: a ``Compiled`` loss.  Out: a page of PyTorch that calls the kernels, and the file of them.

    dice  →  dice.py and dice_triton.py: sums of each item, its loss and slopes, the gradient

What each kernel computes comes from the plan of the C backend; a loss without a plan stays eager.
"""
