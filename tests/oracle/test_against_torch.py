"""The exact numbers of every torch loss against torch.nn.functional in float64.

torch knows nothing of a spec, and the oracle nothing of torch: agreement shows that both the spec
and its scalar reading mean torch's loss, value and gradient, at ties too.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from tests.oracle.loading import generated_test, shipped

FUNCTIONS = {
    name: name if hasattr(F, name) else f"{name}_loss"
    for name in [
        "l1",
        "mse",
        "smooth_l1",
        "huber",
        "soft_margin",
        "binary_cross_entropy",
        "binary_cross_entropy_with_logits",
        "cross_entropy",
        "nll",
        "kl_div",
        "poisson_nll",
        "gaussian_nll",
        "margin_ranking",
        "hinge_embedding",
        "multilabel_margin",
        "multilabel_soft_margin",
        "multi_margin",
        "cosine_embedding",
        "triplet_margin",
    ]
}
_REFUSED = re.compile(r"not differentiable with respect to argument '(\w+)'")


def torch_gradients(
    test: ModuleType, case: Any, tensors: dict[str, torch.Tensor], reduction: str
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """torch's result, and its gradient of every input that it differentiates."""
    wanted = [k for k, x in tensors.items() if x.is_floating_point()]
    while True:
        inputs = {k: x.clone().requires_grad_(k in wanted) for k, x in tensors.items()}
        try:
            result = test.functional(**inputs, **case.options, reduction=reduction)
        except RuntimeError as refusal:
            refused = _REFUSED.search(str(refusal))
            if refused is None:
                raise
            wanted.remove(refused[1])
            continue
        weights = test.upstream(result.numel()).view(result.shape)
        gradients = torch.autograd.grad(
            result, [inputs[k] for k in wanted], weights, allow_unused=True, materialize_grads=True
        )
        return result.detach(), dict(zip(wanted, gradients, strict=True))


@pytest.mark.filterwarnings("ignore:.*batchmean.*:UserWarning")
@pytest.mark.parametrize("name", FUNCTIONS)
def test_oracle_is_torch(name: str, tmp_path: Path) -> None:
    test = generated_test(shipped(name), tmp_path, f"F.{FUNCTIONS[name]}")
    calm = [
        case
        for case in test.CASES.values()
        # At confident labels torch leaves digits out that the formula has.
        if case.manner not in ("extreme", "confident")
        # Where the hinge is exactly 0, torch's own rounding of margin + near - far picks the side.
        and not (case.manner == "ties" and case.options.get("p") == math.inf)
    ]
    assert calm
    for case in calm:
        exact = test.solved(case)
        for reduction in test.REDUCTIONS:
            result, gradients = torch_gradients(test, case, exact.tensors, reduction)
            test.agree(result, exact.value(reduction), "loss")
            assert "input" in gradients or len(gradients) >= 2
            if name == "binary_cross_entropy" and case.manner == "ties":
                # torch holds log(input) at -100 in the value, but not in the target's gradient.
                del gradients["target"]
            for key, gradient in gradients.items():
                expected = exact.gradient(reduction)[key]
                test.agree(gradient, expected, f"gradient of {key}", normwise=True)
