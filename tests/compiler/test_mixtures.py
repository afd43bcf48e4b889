"""Jensen-Shannon divergences as people write them keep their digits for confident predictions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from mpmath import mp
from torch import Tensor

from lossgen.pipeline import module_source
from lossgen.stabilize import stabilize
from tests.compiler.catalogue import spec_of

SCORES = "x: Logits[n, c], y: Logits[n, c]"
PROBABILITIES = "p, q = softmax(x[n, c], c), softmax(y[n, c], c); m = "
LOGARITHMS = "a, b = log_softmax(x[n, c], c), log_softmax(y[n, c], c); m = "
SPELLINGS = {
    PROBABILITIES + "(p + q) / 2; Sum(p * log(p / m) + q * log(q / m), c) / 2": "1/2",
    PROBABILITIES
    + "0.5 * (p + q); kl_p = p * (log(p) - log(m)); kl_q = q * (log(q) - log(m)); "
    + "0.5 * Sum(kl_p, c) + 0.5 * Sum(kl_q, c)": "1/2",
    LOGARITHMS
    + "log(exp(a) / 4 + 3 * exp(b) / 4); "
    + "Sum(exp(a) * (a - m) / 4 + 3 * exp(b) * (b - m) / 4, c)": "3/4",
    LOGARITHMS
    + "log(exp(a) + 9 * exp(b)) - log(10); over_a, over_b = a - m, b - m; "
    + "Sum(exp(a) * over_a / 10 + 9 * exp(b) * over_b / 10, c)": "9/10",
}


def functional(body: str) -> Any:
    loss = spec_of(body, SCORES)
    namespace: dict[str, Any] = {}
    exec(compile(module_source(loss), "generated", "exec"), namespace)
    return namespace[loss.functional_name]


def probabilities(scores: Sequence[float]) -> list[Any]:
    powers = [mp.exp(mp.mpf(s)) for s in scores]
    return [p / mp.fsum(powers) for p in powers]


def exact(x: Sequence[float], y: Sequence[float], share: str) -> tuple[Any, list[Any]]:
    """The divergence, and its gradient in x; of a softmax that is p*(slope - their mean)."""
    w = mp.mpf(share.split("/")[0]) / int(share.split("/")[1])
    ps, qs = probabilities(x), probabilities(y)
    ms = [(1 - w) * p + w * q for p, q in zip(ps, qs, strict=True)]
    over = [mp.log(p / m) for p, m in zip(ps, ms, strict=True)]
    value = mp.fsum((1 - w) * p * u for p, u in zip(ps, over, strict=True))
    value += mp.fsum(w * q * mp.log(q / m) for q, m in zip(qs, ms, strict=True))
    mean = mp.fsum(p * u for p, u in zip(ps, over, strict=True))
    return value, [(1 - w) * p * (u - mean) for p, u in zip(ps, over, strict=True)]


def worst(found: Tensor, true: Sequence[Any]) -> float:
    return max(
        float(abs(mp.mpf(a) - b) / abs(b))
        for a, b in zip(found.flatten().tolist(), true, strict=True)
    )


@pytest.mark.parametrize("body", SPELLINGS)
@pytest.mark.parametrize("lead", [8.0, 14.0, 40.0, 80.0])
def test_what_is_left_of_confident_predictions_is_exact(body: str, lead: float) -> None:
    first, second = [lead, 0.5, -1.0, 0.25], [lead + 0.25, 1.5, -0.5, -0.75]
    x, y = (torch.tensor([scores]).requires_grad_() for scores in (first, second))
    value = functional(body)(x, y, reduction="sum")
    (slope,) = torch.autograd.grad(value, x)
    with mp.workdps(60):
        true, slopes = exact(first, second, SPELLINGS[body])
        # The logarithm of what others have is as long as the lead: its rounding is seen.
        limit = 8 * torch.finfo(torch.float32).eps * lead
        assert worst(value, [true]) <= limit
        assert worst(slope, slopes) <= limit


def test_a_mixture_whose_weights_do_not_add_up_to_1_stays() -> None:
    for body in (
        "x[e] - log(exp(x[e]) + exp(y[e]))",
        "x[e] - log(exp(x[e]) / 2 + exp(y[e]) / 4)",
        "x[e] - 2 * log(exp(x[e]) / 2 + exp(y[e]) / 2)",
    ):
        form, _ = stabilize(spec_of(body, "x: Real[e], y: Real[e]").item)
        assert "LogMixture" not in str(form)


def test_a_logarithm_that_is_used_apart_keeps_its_slope() -> None:
    both = functional(
        LOGARITHMS + "log((exp(a) + exp(b)) / 2); u, v = a - m, b - m; "
        "Sum(exp(a) * u + exp(b) * v + u / 8, c)"
    )
    x = torch.tensor([[0.5, -1.0, 2.0]], dtype=torch.float64, requires_grad=True)
    y = torch.tensor([[-0.5, 0.25, 1.0]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda a, b: both(a, b, reduction="sum"), (x, y))
    assert torch.autograd.gradgradcheck(lambda a, b: both(a, b, reduction="sum"), (x, y))
