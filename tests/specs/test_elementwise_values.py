"""Values and gradients of the robust and classification losses, against formulas and identities."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

SHAPE = (2, 3, 4)


def _normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _each(formula):
    """A formula of one number, over all elements of its tensors."""

    def reference(*, input: Tensor, target: Tensor, **options: float) -> Tensor:
        pairs = zip(input.reshape(-1), target.reshape(-1), strict=True)
        return torch.stack([formula(x, y, **options) for x, y in pairs]).reshape(input.shape)

    return reference


def _classes(formula):
    """A formula of the true class' probability; ignored positions count 0 and leave the divisor."""

    def reference(
        *, input: Tensor, target: Tensor, ignore_index: int, **options: object
    ) -> tuple[Tensor, int]:
        probabilities = torch.exp(input) / torch.exp(input).sum(1, keepdim=True)
        items = []
        for position in torch.cartesian_prod(*map(torch.arange, target.shape)).tolist():
            n, *rest = position
            label = int(target[tuple(position)])
            if label == ignore_index:
                items.append(torch.zeros((), dtype=torch.float64))
            else:
                items.append(formula(probabilities[(n, label, *rest)], label, **options))
        return torch.stack(items).reshape(target.shape), int((target != ignore_index).sum())

    return reference


def log_cosh(x: Tensor, y: Tensor) -> Tensor:
    return torch.log((torch.exp(x - y) + torch.exp(y - x)) / 2)


def charbonnier(x: Tensor, y: Tensor, eps: float) -> Tensor:
    return torch.sqrt((x - y) ** 2 + eps * eps)


def barron(x: Tensor, y: Tensor, alpha: float, scale: float) -> Tensor:
    z = ((x - y) / scale) ** 2
    if alpha == 2:
        return z / 2
    if alpha == 0:
        return torch.log(z / 2 + 1)
    if alpha == -math.inf:
        return 1 - torch.exp(-z / 2)
    return abs(alpha - 2) / alpha * ((z / abs(alpha - 2) + 1) ** (alpha / 2) - 1)


def quantile(x: Tensor, y: Tensor, q: float) -> Tensor:
    return q * (y - x) if y > x else (1 - q) * (x - y)


def wing(x: Tensor, y: Tensor, width: float, curvature: float) -> Tensor:
    error = abs(x - y)
    if error < width:
        return width * torch.log(1 + error / curvature)
    return error - (width - width * math.log(1 + width / curvature))


def sigmoid_focal(x: Tensor, y: Tensor, alpha: float, gamma: float) -> Tensor:
    p = 1 / (1 + torch.exp(-x))
    true = p * y + (1 - p) * (1 - y)
    loss = -((1 - true) ** gamma) * (y * torch.log(p) + (1 - y) * torch.log(1 - p))
    return loss * (alpha * y + (1 - alpha) * (1 - y)) if alpha >= 0 else loss


def asymmetric(x: Tensor, y: Tensor, gamma_pos: float, gamma_neg: float, margin: float) -> Tensor:
    p = 1 / (1 + torch.exp(-x))
    shifted = p - margin if p > margin else 0 * p
    hit = (1 - p) ** gamma_pos * torch.log(p)
    miss = shifted**gamma_neg * torch.log(1 - shifted)
    return -y * hit - (1 - y) * miss


ELEMENTWISE = [
    ("log_cosh", log_cosh, {}),
    ("charbonnier", charbonnier, {"eps": 0.4}),
    *[
        ("barron", barron, {"alpha": a, "scale": 0.7})
        for a in (2.0, 1.0, 0.0, -2.0, 3.5, -math.inf)
    ],
    ("quantile", quantile, {"q": 0.8}),
    ("wing", wing, {"width": 1.1, "curvature": 0.3}),
]


@pytest.mark.parametrize(("name", "formula", "options"), ELEMENTWISE)
def test_regression_value_and_gradient(check, name, formula, options):
    check(
        name, _each(formula), {"input": _normal(0, *SHAPE), "target": _normal(1, *SHAPE)}, **options
    )


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize(
    ("name", "formula", "options"),
    [
        ("sigmoid_focal", sigmoid_focal, {"alpha": 0.3, "gamma": 1.7}),
        ("sigmoid_focal", sigmoid_focal, {"alpha": -1.0, "gamma": 0.5}),
        ("asymmetric", asymmetric, {"gamma_pos": 0.7, "gamma_neg": 2.5, "margin": 0.2}),
    ],
)
def test_binary_value_and_gradient(check, name, formula, options, soft):
    scores = _normal(2, *SHAPE) * 2
    target = torch.rand(SHAPE, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    check(
        name,
        _each(formula),
        {"input": scores, "target": target if soft else target.round()},
        **options,
    )


LABELS = torch.tensor([[0, 4, 2], [3, -7, 4]])


@pytest.mark.parametrize(
    ("name", "formula", "options"),
    [
        ("softmax_focal", lambda p, _, gamma: -((1 - p) ** gamma) * torch.log(p), {"gamma": 1.7}),
        (
            "poly1_cross_entropy",
            lambda p, _, epsilon: -torch.log(p) + epsilon * (1 - p),
            {"epsilon": 1.6},
        ),
        ("generalized_cross_entropy", lambda p, _, q: (1 - p**q) / q, {"q": 0.4}),
    ],
)
def test_class_value_and_gradient(check, name, formula, options):
    tensors = {"input": _normal(4, 2, 5, 3), "target": LABELS}
    check(name, _classes(formula), tensors, ignore_index=-7, **options)


def test_softmax_focal_weighs_classes(check):
    def formula(p, label, gamma, alpha):
        return -alpha[label] * (1 - p) ** gamma * torch.log(p)

    alpha = torch.rand(5, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    tensors = {"input": _normal(4, 2, 5, 3), "target": LABELS, "alpha": alpha}
    check("softmax_focal", _classes(formula), tensors, ignore_index=-7, gamma=1.3)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("softmax_focal", {"gamma": 0.0}),
        ("poly1_cross_entropy", {"epsilon": 0.0}),
        ("generalized_cross_entropy", {"q": 1e-7}),
    ],
)
def test_class_losses_contain_cross_entropy(functional, name, options):
    scores = _normal(6, 2, 5, 3).requires_grad_()
    loss = functional(name)(scores, LABELS, ignore_index=-7, **options)
    expected = F.cross_entropy(scores, LABELS, ignore_index=-7)
    torch.testing.assert_close(loss, expected, rtol=1e-6, atol=0)
    (ours,), (theirs,) = (torch.autograd.grad(x, scores) for x in (loss, expected))
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("sigmoid_focal", {"alpha": -1.0, "gamma": 0.0}),
        ("asymmetric", {"gamma_pos": 0.0, "gamma_neg": 0.0, "margin": 0.0}),
    ],
)
def test_binary_losses_contain_binary_cross_entropy(functional, name, options):
    scores = (_normal(6, *SHAPE) * 20).requires_grad_()
    labels = (_normal(7, *SHAPE) > 0).double()
    loss = functional(name)(scores, labels, **options)
    expected = F.binary_cross_entropy_with_logits(scores, labels)
    torch.testing.assert_close(loss, expected)
    (ours,), (theirs,) = (torch.autograd.grad(x, scores) for x in (loss, expected))
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
def test_focal_losses_are_finite_where_the_sigmoid_saturates(functional, gamma):
    scores = torch.tensor([-200.0, -60.0, 60.0, 200.0], requires_grad=True)
    labels = torch.tensor([1.0, 0.0, 1.0, 0.0])
    loss = functional("sigmoid_focal")(scores, labels, gamma=gamma, reduction="sum")
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(scores.grad).all()
    assert scores.grad[0] == pytest.approx(-0.25)
    assert scores.grad[3] == pytest.approx(0.75)
    pair = torch.tensor([[-200.0, 200.0], [200.0, -200.0]], requires_grad=True)
    functional("softmax_focal")(pair, torch.tensor([0, 0]), gamma=gamma, reduction="sum").backward()
    torch.testing.assert_close(pair.grad, torch.tensor([[-1.0, 1.0], [0.0, 0.0]]))


def test_barron_is_continuous_in_alpha(functional):
    x, y = _normal(8, *SHAPE), _normal(9, *SHAPE)
    barron_loss = functional("barron")
    for alpha, near in ((0.0, 1e-7), (2.0, 2 + 1e-7), (-math.inf, -1e9)):
        torch.testing.assert_close(
            barron_loss(x, y, alpha=alpha), barron_loss(x, y, alpha=near), rtol=1e-6, atol=0
        )


def test_barron_with_alpha_one_is_charbonnier_less_its_value_at_zero(functional):
    x, y = _normal(8, *SHAPE), _normal(9, *SHAPE)
    # Both are the pseudo-Huber loss of the error over the scale.
    smooth = functional("charbonnier")(x / 0.6, y / 0.6, eps=1.0)
    torch.testing.assert_close(functional("barron")(x, y, alpha=1.0, scale=0.6), smooth - 1)


def test_quantile_with_a_half_is_half_the_absolute_error(functional):
    x, y = _normal(8, *SHAPE), _normal(9, *SHAPE)
    torch.testing.assert_close(functional("quantile")(x, y, q=0.5), F.l1_loss(x, y) / 2)


def test_log_cosh_keeps_small_and_large_errors(functional):
    errors = torch.tensor([1e-6, 1e-3, 500.0, -1000.0], dtype=torch.float64)
    loss = functional("log_cosh")(errors, torch.zeros_like(errors), reduction="none")
    expected = [5e-13, 4.999999166666888e-7, 500 - math.log(2), 1000 - math.log(2)]
    assert loss.tolist() == pytest.approx(expected, rel=1e-12)


def test_wing_is_continuous_where_its_parts_meet(functional):
    zero = torch.zeros(2, dtype=torch.float64)
    errors = torch.tensor([3 - 1e-9, 3 + 1e-9], dtype=torch.float64)
    below, above = functional("wing")(
        errors, zero, width=3.0, curvature=0.5, reduction="none"
    ).tolist()
    assert below == pytest.approx(above, abs=1e-8)
