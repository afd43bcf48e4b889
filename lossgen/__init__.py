"""LossGen: one formula in, proven PyTorch out."""

__version__ = "0.1.0"
