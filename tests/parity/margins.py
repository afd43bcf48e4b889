"""The grid, second part: divergences, likelihoods, margins and embeddings."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import torch

from tests.parity.grid import REDUCTIONS, Cases, case, labels, numbers, reals, reduced


def kl_div() -> Cases:
    for shape, log_target in itertools.product(
        ((), (3,), (2, 3), (2, 3, 4), (0, 3)), (False, True)
    ):
        pair = reals(*shape, low=-3, high=0), reals(*shape, low=0.05, high=1, seed=1)
        for reduction in (*REDUCTIONS, "batchmean"):
            yield case("kl_div", "grid", *pair, log_target=log_target, reduction=reduction)
    edge = numbers(-1, -2, -100, -1e4, -3), numbers(0, 1, 0.3, 0.5, 1e-300)
    yield from reduced("kl_div", "edges", *edge)
    logs = numbers(-1, -2, -100, -1e4, 0), numbers(-100, -1e4, -1, 0, 0)
    yield from reduced("kl_div", "edges", *logs, log_target=True)


def poisson_nll() -> Cases:
    count = numbers(0, 1, 2, 3, 0.5, 1.5, 20, 150)
    for log_input, full in itertools.product((True, False), repeat=2):
        rate = reals(8, low=0.1, high=3, seed=5)
        options: dict[str, Any] = {"log_input": log_input, "full": full}
        yield from reduced("poisson_nll", "counts", rate, count, **options)
        yield from reduced("poisson_nll", "whole counts", rate, count.long(), **options)
        yield from reduced("poisson_nll", "eps", rate, count, eps=1e-3, **options)
        yield from reduced("poisson_nll", "empty", reals(0, 3), reals(0, 3), **options)
        yield from reduced("poisson_nll", "scalar", rate[0], count[2], **options)
    low = numbers(0, 0, 1e-12, 1e4), numbers(0, 2, 3, 4)
    yield from reduced("poisson_nll", "rate of zero", *low, log_input=False)
    yield from reduced("poisson_nll", "extreme", numbers(-1e4, -50, 100), numbers(3, 0, 1))


def gaussian_nll() -> Cases:
    shape = (4, 2, 3)
    pair = reals(*shape), reals(*shape, seed=1)
    for full in (False, True):
        for v_shape in (shape, (4, 2, 1), (4, 2), (4, 1, 3), (1, 2, 3)):
            var = reals(*v_shape, low=0.1, high=3, seed=2)
            yield from reduced("gaussian_nll", "grid", *pair, var, full=full)
        yield from reduced("gaussian_nll", "one variance", *pair, var=0.7, full=full)
        yield from reduced("gaussian_nll", "small variance", *pair, var=1e-9, full=full)
    small = numbers(0, 1e-9, 1e-6, 1e-3, 1, 1e4)
    yield from reduced("gaussian_nll", "clamped", reals(6), reals(6, seed=1), small)
    yield from reduced("gaussian_nll", "clamped", reals(6), reals(6, seed=1), small, eps=0.01)
    # Square, where dropping the last axis and broadcasting along it would both fit.
    square = reals(3, 3), reals(3, 3, seed=1), reals(3, low=0.1, high=3, seed=2)
    yield from reduced("gaussian_nll", "square", *square)
    yield from reduced("gaussian_nll", "scalar", reals(), reals(seed=1), reals(low=0.1, seed=2))
    yield from reduced("gaussian_nll", "vector", reals(5), reals(5, seed=1), reals(low=0.1, seed=2))
    yield from reduced("gaussian_nll", "empty", reals(0, 3), reals(0, 3), reals(0, 3))
    for t_shape in ((3,), (2, 1), (1, 3), (2, 3), ()):
        target, var = reals(*t_shape, seed=1), reals(2, 3, low=0.1, high=3, seed=2)
        yield from reduced("gaussian_nll", "target broadcast", reals(2, 3), target, var)


def margin_ranking() -> Cases:
    first, second = numbers(1, 1, 1.5, 1, 2, -1), numbers(1, 1, 1, 1.5, 0, 3)
    sign = numbers(1, -1, 1, -1, 1, -1)
    for margin in (0, 0.5, -0.5):
        yield from reduced("margin_ranking", "ties", first, second, sign, margin=margin)
        yield from reduced("margin_ranking", "whole", first, second, sign.long(), margin=margin)
    for shape in ((), (2, 3, 4), (0, 3)):
        inputs = reals(*shape), reals(*shape, seed=1), reals(*shape, seed=2)
        yield from reduced("margin_ranking", "grid", *inputs, margin=0.3)


def hinge_embedding() -> Cases:
    distance = numbers(1, 1, 0.5, 0.5, 2, 2, 0, 0)
    sign = numbers(1, -1).repeat(4)
    for margin in (1.0, 2, -0.5):
        yield from reduced("hinge_embedding", "ties", distance, sign, margin=margin)
        yield from reduced("hinge_embedding", "whole", distance, sign.long(), margin=margin)
    odd = numbers(0.5, 1.5, 3), numbers(0, 0.5, 2)
    yield from reduced("hinge_embedding", "neither sign", *odd)
    yield from reduced("hinge_embedding", "empty", reals(0, 3), reals(0, 3))


def multilabel_margin() -> Cases:
    rows = {
        "duplicates": [2, 2, 0, -1, 1],
        "none": [-1, 3, 2, 1, 0],
        "all": [4, 2, 0, 1, 3],
        "one": [3, -1, -1, -1, -1],
        "after": [1, -1, 1, 2, 3],
        "same": [0, 0, 0, 0, 0],
    }
    for note, row in rows.items():
        yield from reduced("multilabel_margin", note, reals(5, low=-1), torch.tensor(row))
    batch = torch.tensor(list(rows.values()))
    yield from reduced("multilabel_margin", "batch", reals(6, 5, low=-1), batch)
    tie = numbers(1, 0, 0.5, 2, 1).repeat(6, 1)
    yield from reduced("multilabel_margin", "ties", tie, batch)
    yield from reduced("multilabel_margin", "scalar", reals(), torch.tensor(0))
    # Torch's mean and sum over no samples are uninitialised memory.
    yield case("multilabel_margin", "empty", reals(0, 3), labels(3, 0, 3), reduction="none")


def multilabel_soft_margin() -> Cases:
    loss = "multilabel_soft_margin"
    for shape in ((3,), (2, 3), (4, 2, 3), (0, 3)):
        pair = reals(*shape), reals(*shape, low=0, high=1, seed=1)
        yield from reduced(loss, "grid", *pair)
        yield from reduced(loss, "grid", *pair, weight=reals(3, seed=2))
        yield from reduced(loss, "full weight", *pair, weight=reals(*shape, seed=2))
        yield from reduced(loss, "whole", pair[0], (pair[1] > 0.5).long())
    saturated = numbers(-1e4, -100, -50, -20, 0, 20, 50, 100, 1e4).repeat(3, 1)
    target = numbers(0, 1, 0.3)[:, None].expand(3, 9).clone()
    yield from reduced(loss, "saturated", saturated, target)


def multi_margin() -> Cases:
    for p, margin, weighted in itertools.product((1, 2), (1.0, 0, -0.5, 3), (False, True)):
        options: dict[str, Any] = {"p": p, "margin": margin}
        if weighted:
            options["weight"] = reals(3, seed=2)
        yield from reduced("multi_margin", "grid", reals(4, 3), labels(3, 4), **options)
        yield from reduced("multi_margin", "unbatched", reals(3), torch.tensor(1), **options)
    tie = numbers(1, 0, 0.5, 2, 1).repeat(5, 1)
    for p in (1, 2):
        yield from reduced("multi_margin", "ties", tie, torch.arange(5), p=p)
    # Torch's mean and sum over no samples are uninitialised memory.
    yield case("multi_margin", "empty", reals(0, 3), labels(3, 0), reduction="none")


def cosine_embedding() -> Cases:
    sign = numbers(1, -1, 1, -1)
    for margin in (0, 0.5, -0.5):
        pair = reals(4, 3), reals(4, 3, seed=1)
        yield from reduced("cosine_embedding", "grid", *pair, sign, margin=margin)
        yield from reduced("cosine_embedding", "whole", *pair, sign.long(), margin=margin)
        for y in (1.0, -1.0):
            vectors = reals(3), reals(3, seed=1), torch.tensor(y).double()
            yield from reduced("cosine_embedding", "unbatched", *vectors, margin=margin)
    zero = reals(4, 3).mul(numbers(0, 0, 1, 1)[:, None]), reals(4, 3, seed=1)
    yield from reduced("cosine_embedding", "zero vectors", *zero, sign, margin=-0.2)
    both = torch.zeros(4, 3).double(), torch.zeros(4, 3).double()
    yield from reduced("cosine_embedding", "both zero", *both, sign, margin=-0.2)
    across = numbers(1, 0, 2, 0).reshape(2, 2), numbers(0, 1, 0, 3).reshape(2, 2)
    yield from reduced("cosine_embedding", "tie", *across, numbers(-1, 1))
    yield from reduced("cosine_embedding", "parallel", reals(4, 3), 2 * reals(4, 3), sign)
    yield from reduced("cosine_embedding", "other", reals(2, 3), reals(2, 3, seed=1), numbers(0, 2))
    yield from reduced("cosine_embedding", "empty", reals(0, 3), reals(0, 3), reals(0))


def triplet_margin() -> Cases:
    vectors = reals(4, 3), reals(4, 3, seed=1), reals(4, 3, seed=2)
    for p, swap, eps in itertools.product((1, 2, 3, 0.5, 2.0), (False, True), (1e-6, 0.1)):
        yield from reduced("triplet_margin", "grid", *vectors, p=p, swap=swap, eps=eps)
    yield from reduced("triplet_margin", "greatest", *vectors, p=math.inf)
    for shape in ((3,), (2, 4, 3), (0, 3)):
        stack = (reals(*shape), reals(*shape, seed=1), reals(*shape, seed=2))
        yield from reduced("triplet_margin", "shape", *stack, margin=0.4, swap=True)
    for p in (1, 2, 3):
        same = reals(4, 3), reals(4, 3), reals(4, 3, seed=2)
        yield from reduced("triplet_margin", "anchor is positive", *same, p=p)
        yield from reduced("triplet_margin", "no distance", *same, p=p, eps=0.0)
        tie = numbers(0, 0), numbers(1, 2), numbers(2, 1)
        line = [column[:, None] for column in tie]
        yield from reduced("triplet_margin", "tie", *line, p=p, eps=0.0)
        middle = [numbers(1)[None], numbers(-1)[None], numbers(0)[None]]
        for swap in (False, True):
            yield from reduced(
                "triplet_margin", "between", *middle, p=p, eps=0.0, margin=3.0, swap=swap
            )


def registry() -> dict[str, Callable[[], Cases]]:
    """The generators of this file, by loss."""
    own = (
        kl_div,
        poisson_nll,
        gaussian_nll,
        margin_ranking,
        hinge_embedding,
        multilabel_margin,
        multilabel_soft_margin,
        multi_margin,
        cosine_embedding,
        triplet_margin,
    )
    return {function.__name__: function for function in own}
