"""Losses that are right on small tensors and wrong on long ones, each beside its right version.

A block size, a cap, a table of weights that ends: none of it shows with a handful of samples.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

BLOCK = 64


def mse_in_blocks(input: Tensor, target: Tensor) -> Tensor:
    """The sum over blocks of samples, one mean at the end."""
    total = input.new_zeros(())
    for a, b in zip(input.split(BLOCK), target.split(BLOCK), strict=True):
        total = total + ((a - b) ** 2).sum()
    return total / input.numel()


def mse_mean_of_blocks(input: Tensor, target: Tensor) -> Tensor:
    """The mean of the blocks' means: a short last block counts as much as a full one."""
    pairs = zip(input.split(BLOCK), target.split(BLOCK), strict=True)
    return torch.stack([((a - b) ** 2).mean() for a, b in pairs]).mean()


def mse_whole_blocks(input: Tensor, target: Tensor) -> Tensor:
    """What is left over beyond the last full block is not looked at."""
    if len(input) > BLOCK:
        kept = len(input) // BLOCK * BLOCK
        input, target = input[:kept], target[:kept]
    return ((input - target) ** 2).mean()


def mse_weighted_by_place(input: Tensor, target: Tensor) -> Tensor:
    """Samples beyond the 32nd count half."""
    items = ((input - target) ** 2).flatten(1).mean(1)
    weight = torch.where(torch.arange(len(items)) < 32, 1.0, 0.5).to(items.dtype)
    return (items * weight).sum() / weight.sum()


def cross_entropy_in_blocks(input: Tensor, target: Tensor) -> Tensor:
    """Log-sum-exp over blocks of classes, put together."""
    parts = [x.logsumexp(1) for x in input.split(BLOCK, dim=1)]
    total = torch.stack(parts).logsumexp(0)
    return (total - input.gather(1, target.unsqueeze(1)).squeeze(1)).mean()


def cross_entropy_first_classes(input: Tensor, target: Tensor) -> Tensor:
    """The normalisation ends at the 128th class."""
    total = input[:, :128].logsumexp(1)
    return (total - input.gather(1, target.unsqueeze(1)).squeeze(1)).mean()


def cross_entropy_ignored_by_block(
    input: Tensor, target: Tensor, ignore_index: int = -100
) -> Tensor:
    """Blocks of samples are averaged by their size, not by what each of them keeps."""
    total = input.new_zeros(())
    for a, b in zip(input.split(BLOCK), target.split(BLOCK), strict=True):
        total = total + F.cross_entropy(a, b, ignore_index=ignore_index) * len(a)
    return total / len(input)


def info_nce_in_blocks(query: Tensor, key: Tensor, tau: float = 0.1) -> Tensor:
    """Blocks of queries, each against all keys."""
    query, key = F.normalize(query, dim=1), F.normalize(key, dim=1)
    total = query.new_zeros(())
    for start in range(0, len(query), 32):
        rows = query[start : start + 32] @ key.T / tau
        label = torch.arange(start, start + len(rows))
        total = total + F.cross_entropy(rows, label, reduction="sum")
    return total / len(query)


def info_nce_within_blocks(query: Tensor, key: Tensor, tau: float = 0.1) -> Tensor:
    """Each block of queries sees the keys of its own block only: fewer negatives."""
    query, key = F.normalize(query, dim=1), F.normalize(key, dim=1)
    total = query.new_zeros(())
    for a, b in zip(query.split(32), key.split(32), strict=True):
        rows = a @ b.T / tau
        total = total + F.cross_entropy(rows, torch.arange(len(rows)), reduction="sum")
    return total / len(query)


def table_ends(input: Tensor, target: Tensor) -> Tensor:
    """A table made for 128 samples."""
    weight = torch.ones(128, dtype=input.dtype)[: len(input)]
    return (((input - target) ** 2).flatten(1).mean(1) * weight).mean()


def dice_first_pixels(input: Tensor, target: Tensor, smooth: float = 1.0) -> Tensor:
    """No more than 100 pixels of an image are looked at."""
    prob, label = input.sigmoid().flatten(2)[..., :100], target.flatten(2)[..., :100]
    overlap, mass = (prob * label).sum(2), (prob + label).sum(2)
    return (1 - (2 * overlap + smooth) / (mass + smooth)).mean()


def mse_capped_divisor(input: Tensor, target: Tensor) -> Tensor:
    """Never divided by more than 256."""
    return ((input - target) ** 2).sum() / min(input.numel(), 256)


def mse_hardest(input: Tensor, target: Tensor) -> Tensor:
    """The mean of the 100 largest errors, where there are so many."""
    items = ((input - target) ** 2).flatten()
    return items.topk(min(100, len(items))).values.mean()
