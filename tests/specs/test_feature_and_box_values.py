"""Feature decorrelation, boxes and images: values and gradients, by loops and as published."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

N, D = 5, 3


def _rows(seed: int) -> Tensor:
    return torch.randn(N, D, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def barlow_twins(input1: Tensor, input2: Tensor, lambd: float, eps: float) -> Tensor:
    def standard(z: Tensor) -> Tensor:
        return torch.nn.functional.batch_norm(z, None, None, training=True, eps=eps)

    a, b = standard(input1), standard(input2)
    total = torch.zeros((), dtype=torch.float64)
    for i in range(D):
        for j in range(D):
            entry = sum(a[k, i] * b[k, j] for k in range(N)) / N
            total = total + ((1 - entry) ** 2 if i == j else lambd * entry**2)
    return total


def vicreg(
    input1: Tensor,
    input2: Tensor,
    invariance: float,
    variance: float,
    covariance: float,
    gamma: float,
    eps: float,
) -> Tensor:
    near = sum((a - b) ** 2 for a, b in zip(input1.reshape(-1), input2.reshape(-1), strict=True))
    spread = torch.zeros((), dtype=torch.float64)
    correlated = torch.zeros((), dtype=torch.float64)
    for z in (input1, input2):
        matrix = torch.cov(z.T)
        for i in range(D):
            spread = spread + torch.relu(gamma - torch.sqrt(matrix[i, i] + eps)) / (2 * D)
            correlated = correlated + sum(matrix[i, j] ** 2 for j in range(D) if i != j) / D
    return invariance * near / (N * D) + variance * spread + covariance * correlated


def total_variation(input: Tensor) -> Tensor:
    n, c, height, width = input.shape
    losses = []
    for image in range(n):
        total = torch.zeros((), dtype=torch.float64)
        for channel in range(c):
            x = input[image, channel]
            total = total + sum(
                abs(x[r + 1, q] - x[r, q]) for r in range(height - 1) for q in range(width)
            )
            total = total + sum(
                abs(x[r, q + 1] - x[r, q]) for r in range(height) for q in range(width - 1)
            )
        losses.append(total)
    return torch.stack(losses)


def _overlap(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    inter = width * height if width > 0 and height > 0 else 0 * width
    area = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return inter, area - inter


def giou(input: Tensor, target: Tensor, eps: float) -> Tensor:
    losses = []
    for a, b in zip(input, target, strict=True):
        inter, union = _overlap(a, b)
        hull = (max(a[2], b[2]) - min(a[0], b[0])) * (max(a[3], b[3]) - min(a[1], b[1]))
        losses.append(1 - (inter / (union + eps) - (hull - union) / (hull + eps)))
    return torch.stack(losses)


def ciou(input: Tensor, target: Tensor, eps: float) -> Tensor:
    losses = []
    for a, b in zip(input, target, strict=True):
        inter, union = _overlap(a, b)
        iou = inter / (union + eps)
        diagonal = (max(a[2], b[2]) - min(a[0], b[0])) ** 2 + (
            max(a[3], b[3]) - min(a[1], b[1])
        ) ** 2
        centres = ((a[0] + a[2] - b[0] - b[2]) / 2) ** 2 + ((a[1] + a[3] - b[1] - b[3]) / 2) ** 2
        angles = [torch.atan((box[2] - box[0]) / (box[3] - box[1])) for box in (a, b)]
        v = 4 / math.pi**2 * (angles[1] - angles[0]) ** 2
        with torch.no_grad():
            trade = v / (1 - iou + v + eps)
        losses.append(1 - iou + centres / (diagonal + eps) + trade * v)
    return torch.stack(losses)


def _boxes(seed: int) -> Tensor:
    g = torch.Generator().manual_seed(seed)
    corner = torch.rand(7, 2, generator=g, dtype=torch.float64) * 2
    return torch.cat(
        [corner, corner + 0.3 + torch.rand(7, 2, generator=g, dtype=torch.float64) * 2], 1
    )


IMAGE = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize(
    ("name", "reference", "tensors", "options"),
    [
        (
            "barlow_twins",
            barlow_twins,
            {"input1": _rows(0), "input2": _rows(1)},
            {"lambd": 0.4, "eps": 0.02},
        ),
        (
            "vicreg",
            vicreg,
            {"input1": _rows(0) / 2, "input2": _rows(1)},
            {"invariance": 3.0, "variance": 7.0, "covariance": 2.0, "gamma": 0.9, "eps": 0.01},
        ),
        ("total_variation", total_variation, {"input": IMAGE}, {}),
        ("giou", giou, {"input": _boxes(0), "target": _boxes(1)}, {"eps": 0.02}),
        ("ciou", ciou, {"input": _boxes(0), "target": _boxes(1)}, {"eps": 0.02}),
    ],
)
def test_value_and_gradient_are_the_papers(check, name, reference, tensors, options):
    check(name, reference, tensors, **options)


# pytorch/vision test/test_ops.py: the boxes and numbers of its GIoU and CIoU loss tests
BOXES = [[-1.0, -1, 1, 1], [0.0, 0, 1, 1], [0.0, 1, 1, 2], [1.0, 1, 2, 2]]


@pytest.mark.parametrize(
    ("name", "first", "second", "expected"),
    [
        ("giou", 0, 0, 0.0),
        ("giou", 0, 1, 0.75),
        ("giou", 1, 2, 1.0),
        ("giou", 1, 3, 1.5),
        ("ciou", 0, 0, 0.0),
        ("ciou", 0, 1, 0.8125),
        ("ciou", 0, 2, 1.1923),
        ("ciou", 0, 3, 1.25),
    ],
)
def test_boxes_equal_torchvision(functional, name, first, second, expected):
    boxes = torch.tensor(BOXES, dtype=torch.float64)
    loss = functional(name)(boxes[first], boxes[second], reduction="none")
    assert loss.shape == ()
    assert loss.item() == pytest.approx(expected, abs=5e-5)


def test_identical_features_leave_only_the_off_diagonal(functional):
    rows = _rows(2)
    correlation = torch.corrcoef(rows.T)
    expected = 0.3 * (correlation**2).sum() - 0.3 * D
    torch.testing.assert_close(
        functional("barlow_twins")(rows, rows, lambd=0.3, eps=1e-12), expected
    )


def test_total_variation_of_a_ramp_is_its_rise(functional):
    ramp = torch.arange(5.0).expand(1, 1, 3, 5)
    assert functional("total_variation")(ramp).item() == 3 * 4
    assert functional("total_variation")(torch.ones(2, 1, 1, 1)).item() == 0


def test_total_variation_takes_one_image(functional):
    torch.testing.assert_close(
        functional("total_variation")(IMAGE[0], reduction="none"),
        functional("total_variation")(IMAGE, reduction="none")[0],
    )
