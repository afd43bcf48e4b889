"""Values and gradients of the pairwise losses, against the papers' sums written out by loops."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

N, D = 6, 4


def _rows(seed: int, n: int = N, d: int = D) -> Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _cosines(a: Tensor, b: Tensor) -> list[list[Tensor]]:
    def length(row: Tensor) -> Tensor:
        return sum(x * x for x in row) ** 0.5

    return [
        [sum(x * y for x, y in zip(p, q, strict=True)) / (length(p) * length(q)) for q in b]
        for p in a
    ]


def _log_sum_exp(values: list[Tensor]) -> Tensor:
    return torch.logsumexp(torch.stack(values), 0)


def info_nce(query: Tensor, key: Tensor, tau: float) -> Tensor:
    sim = _cosines(query, key)
    return torch.stack(
        [-torch.log_softmax(torch.stack(row) / tau, 0)[i] for i, row in enumerate(sim)]
    )


def clip(image: Tensor, text: Tensor, logit_scale: Tensor) -> Tensor:
    sim = [[math.e**logit_scale * x for x in row] for row in _cosines(image, text)]
    losses = []
    for i in range(len(sim)):
        row = _log_sum_exp(sim[i]) - sim[i][i]
        column = _log_sum_exp([other[i] for other in sim]) - sim[i][i]
        losses.append((row + column) / 2)
    return torch.stack(losses)


def siglip(image: Tensor, text: Tensor, logit_scale: Tensor, logit_bias: Tensor) -> Tensor:
    losses = []
    for i, row in enumerate(_cosines(image, text)):
        total = torch.zeros((), dtype=torch.float64)
        for j, cosine in enumerate(row):
            z = 1 if i == j else -1
            total = total + torch.log(
                1 + torch.exp(z * (-torch.exp(logit_scale) * cosine - logit_bias))
            )
        losses.append(total)
    return torch.stack(losses)


def nt_xent(first: Tensor, second: Tensor, tau: float) -> Tensor:
    rows = torch.cat([first, second])
    sim = _cosines(rows, rows)
    n = len(first)
    each = []
    for i in range(2 * n):
        other = (i + n) % (2 * n)
        rest = [sim[i][k] / tau for k in range(2 * n) if k != i]
        each.append(_log_sum_exp(rest) - sim[i][other] / tau)
    return torch.stack([(each[i] + each[i + n]) / 2 for i in range(n)])


def supcon(input: Tensor, target: Tensor, tau: float) -> tuple[Tensor, int]:
    sim = _cosines(input, input)
    losses, anchors = [], 0
    for i in range(len(input)):
        rest = _log_sum_exp([sim[i][a] / tau for a in range(len(input)) if a != i])
        positives = [p for p in range(len(input)) if p != i and target[p] == target[i]]
        anchors += bool(positives)
        terms = [sim[i][p] / tau - rest for p in positives]
        losses.append(-sum(terms) / len(terms) if terms else torch.zeros((), dtype=torch.float64))
    return torch.stack(losses), anchors


def multi_similarity(
    input: Tensor, target: Tensor, alpha: float, beta: float, base: float, eps: float
) -> Tensor:
    sim = _cosines(input, input)
    losses = []
    for i in range(len(input)):
        positives = [sim[i][k] for k in range(len(input)) if k != i and target[k] == target[i]]
        negatives = [sim[i][k] for k in range(len(input)) if target[k] != target[i]]
        hardest = max((x.item() for x in negatives), default=-math.inf)
        farthest = min((x.item() for x in positives), default=math.inf)
        pull = sum(torch.exp(-alpha * (x - base)) for x in positives if x.item() < hardest + eps)
        push = sum(torch.exp(beta * (x - base)) for x in negatives if x.item() > farthest - eps)
        losses.append(
            torch.log(1 + pull + 0 * sim[i][i]) / alpha + torch.log(1 + push + 0 * sim[i][i]) / beta
        )
    return torch.stack(losses)


def arcface(input: Tensor, target: Tensor, weight: Tensor, scale: float, margin: float) -> Tensor:
    losses = []
    for i, row in enumerate(_cosines(input, weight)):
        y = int(target[i])
        widened = torch.cos(torch.acos(row[y]) + margin)
        logits = [scale * (widened if k == y else x) for k, x in enumerate(row)]
        losses.append(_log_sum_exp(logits) - logits[y])
    return torch.stack(losses)


LABELS = torch.tensor([0, 2, 0, 1, 2, 0])


@pytest.mark.parametrize(
    ("name", "reference", "tensors", "options"),
    [
        ("info_nce", info_nce, {"query": _rows(0), "key": _rows(1)}, {"tau": 0.3}),
        (
            "clip",
            clip,
            {
                "image": _rows(0),
                "text": _rows(1),
                "logit_scale": torch.tensor(1.3, dtype=torch.float64),
            },
            {},
        ),
        (
            "siglip",
            siglip,
            {
                "image": _rows(0),
                "text": _rows(1),
                "logit_scale": torch.tensor(1.3, dtype=torch.float64),
                "logit_bias": torch.tensor(-0.8, dtype=torch.float64),
            },
            {},
        ),
        ("nt_xent", nt_xent, {"first": _rows(0), "second": _rows(1)}, {"tau": 0.3}),
        ("supcon", supcon, {"input": _rows(0), "target": LABELS}, {"tau": 0.3}),
        (
            "multi_similarity",
            multi_similarity,
            {"input": _rows(0, 9), "target": torch.tensor([0, 2, 0, 1, 2, 0, 3, 1, 1])},
            {"alpha": 1.5, "beta": 7.0, "base": 0.2, "eps": 0.15},
        ),
        (
            "arcface",
            arcface,
            {"input": _rows(0), "target": LABELS, "weight": _rows(1, 5)},
            {"scale": 4.0, "margin": 0.3},
        ),
    ],
)
def test_value_and_gradient_are_the_papers(check, name, reference, tensors, options):
    check(name, reference, tensors, **options)


def test_supcon_with_pairs_only_is_nt_xent(functional):
    first, second = _rows(2), _rows(3)
    labels = torch.arange(N)
    both = functional("supcon")(torch.cat([first, second]), torch.cat([labels, labels]), tau=0.4)
    torch.testing.assert_close(both, functional("nt_xent")(first, second, tau=0.4))


def test_supcon_averages_over_the_rows_that_have_a_positive(functional):
    rows, labels = _rows(2), torch.tensor([0, 1, 2, 1, 3, 4])
    items = functional("supcon")(rows, labels, reduction="none")
    assert (items > 0).tolist() == [False, True, False, True, False, False]
    torch.testing.assert_close(functional("supcon")(rows, labels), items.sum() / 2)


def test_supcon_has_no_slope_where_no_two_labels_agree(functional):
    rows = _rows(2).requires_grad_()
    functional("supcon")(rows, torch.arange(N), reduction="sum").backward()
    assert not rows.grad.any()


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("info_nce", (_rows(4), _rows(5))),
        ("nt_xent", (_rows(4), _rows(5))),
        ("supcon", (_rows(4), LABELS)),
        ("multi_similarity", (_rows(4), LABELS)),
        ("arcface", (_rows(4), LABELS, _rows(5, 3))),
    ],
)
def test_a_zero_row_is_finite_and_has_no_slope(functional, name, arguments):
    rows = arguments[0].clone()
    rows[1] = 0
    rows.requires_grad_()
    loss = functional(name)(rows, *arguments[1:], reduction="sum")
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(rows.grad).all()
    assert not rows.grad[1].any()


def test_info_nce_is_cross_entropy_of_the_cosines(functional):
    query, key = _rows(6), _rows(7)
    cosines = F.normalize(query) @ F.normalize(key).T
    expected = F.cross_entropy(cosines / 0.2, torch.arange(N), reduction="none")
    torch.testing.assert_close(
        functional("info_nce")(query, key, tau=0.2, reduction="none"), expected
    )


def test_clip_is_info_nce_both_ways(functional):
    image, text = _rows(6), _rows(7)
    loss = functional("clip")(image, text, torch.tensor(math.log(5.0), dtype=torch.float64))
    there, back = (
        functional("info_nce")(image, text, tau=0.2),
        functional("info_nce")(text, image, tau=0.2),
    )
    torch.testing.assert_close(loss, (there + back) / 2)


def test_pairs_at_a_low_temperature_do_not_overflow(functional):
    first, second = _rows(8).float(), _rows(9).float()
    for name in ("info_nce", "nt_xent"):
        assert torch.isfinite(functional(name)(first, second, tau=0.003))


def test_multi_similarity_of_one_class_keeps_no_pair(functional):
    rows = _rows(8).requires_grad_()
    loss = functional("multi_similarity")(rows, torch.zeros(N, dtype=torch.long), reduction="none")
    loss.sum().backward()
    assert not loss.any()
    assert not rows.grad.any()


def test_arcface_without_margin_is_cross_entropy_of_the_cosines(functional):
    rows, centres = _rows(8), _rows(9, 5)
    cosines = F.normalize(rows) @ F.normalize(centres).T
    loss = functional("arcface")(rows, LABELS, centres, scale=8.0, margin=0.0, reduction="none")
    torch.testing.assert_close(loss, F.cross_entropy(8 * cosines, LABELS, reduction="none"))
