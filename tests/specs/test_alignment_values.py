"""Values and gradients of preference, policy and distillation losses, against loops and limits."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F


def _normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def dpo(
    chosen: Tensor,
    rejected: Tensor,
    ref_chosen: Tensor,
    ref_rejected: Tensor,
    beta: float,
    label_smoothing: float,
) -> Tensor:
    losses = []
    for w, r, rw, rr in zip(chosen, rejected, ref_chosen, ref_rejected, strict=True):
        preferred = 1 / (1 + torch.exp(-beta * (w - rw) + beta * (r - rr)))
        losses.append(
            -(1 - label_smoothing) * torch.log(preferred)
            - label_smoothing * torch.log(1 - preferred)
        )
    return torch.stack(losses)


def grpo(
    logp: Tensor,
    advantage: Tensor,
    eps_low: float,
    eps_high: float,
    beta: float,
    mask: Tensor | None = None,
    old: Tensor | None = None,
    ref: Tensor | None = None,
) -> Tensor:
    losses = []
    for i in range(logp.shape[0]):
        terms = []
        for t in range(logp.shape[1]):
            if mask is not None and not mask[i, t]:
                continue
            start = logp[i, t].detach() if old is None else old[i, t]
            ratio = torch.exp(logp[i, t] - start)
            held = torch.clamp(ratio, 1 - eps_low, 1 + eps_high)
            term = -torch.minimum(ratio * advantage[i], held * advantage[i])
            if ref is not None:
                gap = ref[i, t] - logp[i, t]
                term = term + beta * (torch.exp(gap) - gap - 1)
            terms.append(term)
        losses.append(sum(terms) / len(terms) if terms else torch.zeros((), dtype=torch.float64))
    return torch.stack(losses)


def distillation_jsd(
    student: Tensor, teacher: Tensor, beta: float, temperature: float, mask: Tensor | None = None
) -> tuple[Tensor, int]:
    p = torch.exp(student / temperature) / torch.exp(student / temperature).sum(-1, keepdim=True)
    q = torch.exp(teacher / temperature) / torch.exp(teacher / temperature).sum(-1, keepdim=True)

    def divergence(a: Tensor, b: Tensor) -> Tensor:
        return sum(x * torch.log(x / y) for x, y in zip(a.unbind(-1), b.unbind(-1), strict=True))

    if beta == 0:
        items = divergence(q, p)
    elif beta == 1:
        items = divergence(p, q)
    else:
        mixture = beta * q + (1 - beta) * p
        items = beta * divergence(q, mixture) + (1 - beta) * divergence(p, mixture)
    if mask is None:
        return items, items.numel()
    return torch.where(mask, items, 0.0 * items), int(mask.sum())


LOGP = {
    "chosen": _normal(0, 5) * 3 - 9,
    "rejected": _normal(1, 5) * 3 - 9,
    "ref_chosen": _normal(2, 5) * 3 - 9,
    "ref_rejected": _normal(3, 5) * 3 - 9,
}
POLICY = {
    "logp": _normal(4, 3, 5) / 3 - 2,
    "advantage": torch.tensor([1.3, -0.7, 0.4], dtype=torch.float64),
}
MASK = torch.tensor([[1, 1, 0, 0, 0], [1, 1, 1, 1, 0], [0, 0, 0, 0, 0]]).bool()
OLD, REF = _normal(5, 3, 5) / 3 - 2, _normal(6, 3, 5) / 3 - 2


@pytest.mark.parametrize("label_smoothing", [0.0, 0.15])
def test_dpo(check, label_smoothing):
    check("dpo", dpo, LOGP, beta=0.4, label_smoothing=label_smoothing)


@pytest.mark.parametrize(
    "extra",
    [
        {},
        {"old": OLD},
        {"ref": REF},
        {"mask": MASK, "old": OLD},
        {"mask": MASK, "old": OLD, "ref": REF},
    ],
)
def test_grpo(check, extra):
    check("grpo", grpo, POLICY | extra, eps_low=0.1, eps_high=0.3, beta=0.25)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("beta", [0.0, 0.3, 0.5, 1.0])
def test_distillation_jsd(check, beta, masked):
    tensors = {"student": _normal(7, 2, 3, 4), "teacher": _normal(8, 2, 3, 4)}
    if masked:
        tensors["mask"] = torch.tensor([[True, False, True], [False, True, True]])
    check("distillation_jsd", distillation_jsd, tensors, beta=beta, temperature=1.7)


def test_dpo_of_a_policy_equal_to_its_reference_is_log_two(functional):
    logp, other = LOGP["chosen"], LOGP["rejected"]
    assert functional("dpo")(logp, other, logp, other).item() == pytest.approx(math.log(2))


def test_dpo_depends_on_the_margin_alone(functional):
    margin = LOGP["chosen"] - LOGP["rejected"] - LOGP["ref_chosen"] + LOGP["ref_rejected"]
    loss = functional("dpo")(**LOGP, beta=0.4, reduction="none")
    torch.testing.assert_close(loss, F.softplus(-0.4 * margin))


def test_grpo_on_policy_has_the_policy_gradient(functional):
    logp = POLICY["logp"].clone().requires_grad_()
    loss = functional("grpo")(logp, POLICY["advantage"], reduction="none")
    torch.testing.assert_close(loss, -POLICY["advantage"])
    loss.sum().backward()
    torch.testing.assert_close(logp.grad, (-POLICY["advantage"] / 5)[:, None].expand(3, 5))


def test_grpo_clips_each_side_by_its_own_bound(functional):
    ratios = torch.tensor([[0.5], [0.5], [2.0], [2.0]], dtype=torch.float64)
    advantage = torch.tensor([1.0, -1.0, 1.0, -1.0], dtype=torch.float64)
    logp = torch.log(ratios).requires_grad_()
    loss = functional("grpo")(
        logp, advantage, old=torch.zeros_like(ratios), eps_low=0.2, eps_high=0.6, reduction="none"
    )
    assert loss.tolist() == pytest.approx([-0.5, 0.8, -1.6, 2.0])
    loss.sum().backward()
    assert logp.grad.flatten().tolist() == pytest.approx([-0.5, 0.0, 0.0, 2.0])


def test_jensen_shannon_is_symmetric_and_bounded(functional):
    student, teacher = _normal(9, 4, 6) * 3, _normal(10, 4, 6) * 3
    loss = functional("distillation_jsd")
    forward, backward = loss(student, teacher, beta=0.5), loss(teacher, student, beta=0.5)
    torch.testing.assert_close(forward, backward)
    assert 0 < forward.item() < math.log(2)
    apart = torch.eye(2, dtype=torch.float64) * 200
    assert loss(apart, apart.flip(0), beta=0.5).item() == pytest.approx(math.log(2))


def test_jsd_over_beta_tends_to_the_forward_divergence(functional):
    student, teacher = _normal(9, 4, 6), _normal(10, 4, 6)
    loss = functional("distillation_jsd")
    near = loss(student, teacher, beta=1e-7) / 1e-7
    torch.testing.assert_close(near, loss(student, teacher, beta=0.0), rtol=1e-5, atol=0)
    divergence = F.kl_div(
        student.log_softmax(-1), teacher.log_softmax(-1), reduction="batchmean", log_target=True
    )
    torch.testing.assert_close(loss(student, teacher, beta=0.0), divergence)
