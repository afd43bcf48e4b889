"""Values and gradients of the overlap losses, against the papers' sums written out by loops."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

N, C, S = 2, 3, (4, 5)


def _case(seed: int, soft: bool = False) -> dict[str, Tensor]:
    g = torch.Generator().manual_seed(seed)
    scores = torch.randn(N, C, *S, generator=g, dtype=torch.float64) * 2
    if soft:
        return {"input": scores, "target": torch.rand(N, C, *S, generator=g, dtype=torch.float64)}
    labels = torch.randint(0, C, (N, *S), generator=g)
    labels[0, :, :3] = 1
    return {
        "input": scores,
        "target": torch.nn.functional.one_hot(labels, C).movedim(-1, 1).double(),
    }


def _flat(x: Tensor) -> list[list[list[Tensor]]]:
    return [[list(x[n, c].reshape(-1)) for c in range(x.shape[1])] for n in range(x.shape[0])]


def _sigmoid(input: Tensor) -> list[list[list[Tensor]]]:
    return _flat(1 / (1 + torch.exp(-input)))


def _softmax(input: Tensor) -> list[list[list[Tensor]]]:
    return _flat(torch.exp(input) / torch.exp(input).sum(1, keepdim=True))


def _grid(values: list[list[Tensor]]) -> Tensor:
    return torch.stack([torch.stack(row) for row in values])


def dice(input: Tensor, target: Tensor, smooth: float) -> Tensor:
    p, g = _sigmoid(input), _flat(target)
    return _grid(
        [
            [
                1
                - (2 * sum(a * b for a, b in zip(p[n][c], g[n][c], strict=True)) + smooth)
                / (sum(p[n][c]) + sum(g[n][c]) + smooth)
                for c in range(C)
            ]
            for n in range(N)
        ]
    )


def batch_dice(input: Tensor, target: Tensor, smooth: float) -> Tensor:
    p, g = _sigmoid(input), _flat(target)
    losses = []
    for c in range(C):
        pairs = [(a, b) for n in range(N) for a, b in zip(p[n][c], g[n][c], strict=True)]
        overlap, mass = sum(a * b for a, b in pairs), sum(a + b for a, b in pairs)
        losses.append(1 - (2 * overlap + smooth) / (mass + smooth))
    return torch.stack(losses)


def jaccard(input: Tensor, target: Tensor, smooth: float) -> Tensor:
    p, g = _sigmoid(input), _flat(target)
    rows = []
    for n in range(N):
        rows.append([])
        for c in range(C):
            pairs = list(zip(p[n][c], g[n][c], strict=True))
            intersection, union = sum(a * b for a, b in pairs), sum(a + b - a * b for a, b in pairs)
            rows[-1].append(1 - (intersection + smooth) / (union + smooth))
    return _grid(rows)


def tversky(input: Tensor, target: Tensor, alpha: float, beta: float, smooth: float) -> Tensor:
    p, g = _softmax(input), _flat(target)
    rows = []
    for n in range(N):
        rows.append([])
        for c in range(C):
            pairs = list(zip(p[n][c], g[n][c], strict=True))
            tp = sum(a * b for a, b in pairs)
            fp = sum(a * (1 - b) for a, b in pairs)
            fn = sum((1 - a) * b for a, b in pairs)
            rows[-1].append(1 - (tp + smooth) / (tp + alpha * fp + beta * fn + smooth))
    return _grid(rows)


def focal_tversky(
    input: Tensor, target: Tensor, alpha: float, beta: float, gamma: float, smooth: float
) -> Tensor:
    return tversky(input, target, alpha, beta, smooth) ** (1 / gamma)


def generalized_dice(input: Tensor, target: Tensor, smooth: float) -> Tensor:
    p, g = _softmax(input), _flat(target)
    losses = []
    for n in range(N):
        volumes = [sum(g[n][c]) for c in range(C)]
        weights = [1 / v**2 if v > 0 else None for v in volumes]
        largest = max((w for w in weights if w is not None), default=torch.zeros(()))
        weights = [largest if w is None else w for w in weights]
        overlap = sum(
            weights[c] * sum(a * b for a, b in zip(p[n][c], g[n][c], strict=True)) for c in range(C)
        )
        mass = sum(weights[c] * (sum(p[n][c]) + volumes[c]) for c in range(C))
        losses.append(1 - (2 * overlap + smooth) / (mass + smooth))
    return torch.stack(losses)


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize(
    ("name", "reference", "options"),
    [
        ("dice", dice, {"smooth": 0.3}),
        ("batch_dice", batch_dice, {"smooth": 0.3}),
        ("jaccard", jaccard, {"smooth": 0.7}),
        ("tversky", tversky, {"alpha": 0.2, "beta": 1.3, "smooth": 0.4}),
        (
            "focal_tversky",
            focal_tversky,
            {"alpha": 0.2, "beta": 1.3, "gamma": 0.6, "smooth": 0.4},
        ),
        ("generalized_dice", generalized_dice, {"smooth": 0.02}),
    ],
)
def test_value_and_gradient_are_the_papers(check, name, reference, options, soft):
    check(name, reference, _case(3, soft), **options)


def test_generalized_dice_gives_an_absent_class_the_largest_weight(check):
    tensors = _case(5)
    tensors["target"][1, 2] = 0.0
    check("generalized_dice", generalized_dice, tensors, smooth=0.01)


def test_generalized_dice_of_an_empty_target_is_zero_with_zero_slope(functional):
    tensors = _case(5)
    scores = tensors["input"].requires_grad_()
    loss = functional("generalized_dice")(scores, torch.zeros_like(scores), reduction="sum")
    loss.backward()
    assert loss.item() == 0
    assert not scores.grad.any()


def test_dice_equals_monai(functional):
    # Project-MONAI/MONAI tests/test_dice_loss.py, TEST_CASE_1
    scores = torch.tensor([[[[1.0, -1.0], [-1.0, 1.0]]]], dtype=torch.float64)
    truth = torch.tensor([[[[1.0, 0.0], [1.0, 1.0]]]], dtype=torch.float64)
    assert functional("dice")(scores, truth, smooth=1e-6).item() == pytest.approx(
        0.307576, abs=1e-6
    )


def test_generalized_dice_equals_monai(functional):
    # Project-MONAI/MONAI tests/test_generalized_dice_loss.py, the cases with softmax
    scores = torch.tensor([[[-1.0, 0, 1], [1, 0, -1]], [[0, 0, 0], [0, 0, 0]]], dtype=torch.float64)
    labels = torch.tensor([[1.0, 0, 0], [1, 1, 0]], dtype=torch.float64)
    truth = torch.stack([1 - labels, labels], 1)
    loss = functional("generalized_dice")(scores, truth, smooth=1e-4, reduction="none")
    assert loss.tolist() == pytest.approx([0.273476, 0.555539], abs=1e-6)


def test_tversky_with_halves_is_dice_and_with_ones_is_jaccard(functional):
    # Over two classes a softmax is the sigmoid of the difference of the scores.
    scores = _case(7)["input"][:, :2]
    truth = _case(7)["target"][:, :2]
    margin = scores[:, :1] - scores[:, 1:]
    difference = torch.cat([margin, -margin], 1)
    half = functional("tversky")(scores, truth, alpha=0.5, beta=0.5, smooth=0.6, reduction="none")
    as_dice = functional("dice")(difference, truth, smooth=1.2, reduction="none")
    torch.testing.assert_close(half, as_dice, rtol=1e-12, atol=1e-14)
    ones = functional("tversky")(scores, truth, alpha=1.0, beta=1.0, smooth=0.6, reduction="none")
    as_jaccard = functional("jaccard")(difference, truth, smooth=0.6, reduction="none")
    torch.testing.assert_close(ones, as_jaccard, rtol=1e-12, atol=1e-14)


def test_tversky_alpha_weighs_false_positives(functional):
    scores = torch.tensor([[[9.0, 9.0, -9.0], [-9.0, -9.0, 9.0]]], dtype=torch.float64)
    truth = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]]], dtype=torch.float64)
    over, under = functional("tversky")(
        scores, truth, alpha=0.9, beta=0.1, smooth=0.0, reduction="none"
    )[0].tolist()
    assert over == pytest.approx(1 - 1 / 1.9, abs=1e-3)
    assert under == pytest.approx(1 - 1 / 1.1, abs=1e-3)


def test_focal_tversky_without_error_has_zero_loss_and_slope(functional):
    scores = torch.tensor([[[800.0, -800.0], [-800.0, 800.0]]], dtype=torch.float64)
    truth = (scores > 0).double()
    scores.requires_grad_()
    loss = functional("focal_tversky")(scores, truth, reduction="sum")
    loss.backward()
    assert loss.item() == 0
    assert not scores.grad.any()


def test_batch_dice_of_one_sample_is_dice(functional):
    tensors = {k: v[:1] for k, v in _case(9).items()}
    whole = functional("batch_dice")(**tensors, smooth=0.3, reduction="none")
    single = functional("dice")(**tensors, smooth=0.3, reduction="none")[0]
    torch.testing.assert_close(whole, single, rtol=1e-12, atol=1e-14)
