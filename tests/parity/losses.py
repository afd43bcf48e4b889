"""Torch's closed-form losses, and one way to call both torch's and the generated form of each."""

from __future__ import annotations

import functools
import inspect
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests import generated_modules


@dataclass(frozen=True, slots=True)
class TorchLoss:
    """One loss as torch has it: `opinfo` is its name in torch's own sample database."""

    function: Callable[..., Tensor]
    module: type[nn.Module]

    @property
    def opinfo(self) -> str:
        return f"nn.functional.{self.function.__name__}"


LOSSES: dict[str, TorchLoss] = {
    "l1": TorchLoss(F.l1_loss, nn.L1Loss),
    "mse": TorchLoss(F.mse_loss, nn.MSELoss),
    "smooth_l1": TorchLoss(F.smooth_l1_loss, nn.SmoothL1Loss),
    "huber": TorchLoss(F.huber_loss, nn.HuberLoss),
    "soft_margin": TorchLoss(F.soft_margin_loss, nn.SoftMarginLoss),
    "binary_cross_entropy": TorchLoss(F.binary_cross_entropy, nn.BCELoss),
    "binary_cross_entropy_with_logits": TorchLoss(
        F.binary_cross_entropy_with_logits, nn.BCEWithLogitsLoss
    ),
    "cross_entropy": TorchLoss(F.cross_entropy, nn.CrossEntropyLoss),
    "nll": TorchLoss(F.nll_loss, nn.NLLLoss),
    "kl_div": TorchLoss(F.kl_div, nn.KLDivLoss),
    "poisson_nll": TorchLoss(F.poisson_nll_loss, nn.PoissonNLLLoss),
    "gaussian_nll": TorchLoss(F.gaussian_nll_loss, nn.GaussianNLLLoss),
    "margin_ranking": TorchLoss(F.margin_ranking_loss, nn.MarginRankingLoss),
    "hinge_embedding": TorchLoss(F.hinge_embedding_loss, nn.HingeEmbeddingLoss),
    "multilabel_margin": TorchLoss(F.multilabel_margin_loss, nn.MultiLabelMarginLoss),
    "multilabel_soft_margin": TorchLoss(F.multilabel_soft_margin_loss, nn.MultiLabelSoftMarginLoss),
    "multi_margin": TorchLoss(F.multi_margin_loss, nn.MultiMarginLoss),
    "cosine_embedding": TorchLoss(F.cosine_embedding_loss, nn.CosineEmbeddingLoss),
    "triplet_margin": TorchLoss(F.triplet_margin_loss, nn.TripletMarginLoss),
}


@functools.cache
def parameters(name: str) -> tuple[str, ...]:
    """The argument names of torch's functional form, in order."""
    return tuple(inspect.signature(LOSSES[name].function).parameters)


@dataclass(frozen=True)
class Case:
    """One call of one loss: tensors and options by name, both as torch's function takes them."""

    loss: str
    name: str
    tensors: Mapping[str, Tensor]
    options: Mapping[str, Any]

    @property
    def floats(self) -> list[str]:
        """The names of the tensors that could carry a gradient."""
        return [key for key, tensor in self.tensors.items() if tensor.is_floating_point()]


@dataclass(frozen=True)
class Outcome:
    """What a call gave: its value, and the gradient of `sum(value * upstream)` per tensor."""

    value: Tensor
    gradients: Mapping[str, Tensor | None]


def upstream_of(value: Tensor) -> Tensor:
    """A fixed random upstream gradient for a result: neither uniform nor of one sign."""
    generator = torch.Generator().manual_seed(11)
    draw = torch.rand(value.shape, generator=generator, dtype=torch.float64)
    return (0.3 + draw).mul(torch.where(draw > 0.7, -1, 1)).to(value.dtype)


def evaluate(function: Callable[..., Tensor], case: Case, differentiate: list[str]) -> Outcome:
    """Call and differentiate once; a gradient that does not exist is None."""
    leaves = {
        key: tensor.detach().clone().requires_grad_(key in differentiate)
        for key, tensor in case.tensors.items()
    }
    value = function(**leaves, **case.options)
    if not value.requires_grad:
        return Outcome(value.detach(), dict.fromkeys(differentiate))
    gradients = torch.autograd.grad(
        value, [leaves[key] for key in differentiate], upstream_of(value), allow_unused=True
    )
    return Outcome(value.detach(), dict(zip(differentiate, gradients, strict=True)))


_REFUSED = re.compile(r"not differentiable with respect to argument '(\w+)'")


def torch_outcome(case: Case) -> Outcome:
    """Torch's value, and its gradient to every float tensor that torch differentiates."""
    function = LOSSES[case.loss].function
    differentiate = case.floats
    while True:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                outcome = evaluate(function, case, differentiate)
        except RuntimeError as error:
            refused = _REFUSED.search(str(error))
            if refused is None:
                raise
            differentiate = [key for key in differentiate if key != refused[1]]
        else:
            known = {key: grad for key, grad in outcome.gradients.items() if grad is not None}
            return Outcome(outcome.value, known)


def our_outcome(case: Case, like: Outcome) -> Outcome:
    """The generated form's value, and its gradients wherever torch has one."""
    return evaluate(generated_modules.functional(case.loss), case, list(like.gradients))
