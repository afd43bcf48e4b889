"""Rows whose positions meet one another: kernels beside plain torch, and what torch's own gives."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from lossgen.pipeline import source
from tests.machinery.importing import imported
from tests.native.kernels import functional, load, only_kernels, without_kernels
from tests.oracle.loading import written

pytestmark = pytest.mark.skipif(
    not any(map(shutil.which, ("cc", "gcc", "clang"))), reason="no C compiler"
)
NAME = "multilabel_margin"
LOSSES = {
    # An ensemble's continuous ranked probability score: a power of all differences.
    "energy": (
        "x: Real[n, c], y: Real[n, c], *, p: Positive = 1.5",
        "return Mean(Abs(x[n, c] - y[n, c])**p, c) - Mean(Abs(x[n, k] - x[n, c])**p, k, c)/2",
    ),
    # What comes before a position, with it and without; a weight that may be missing, and each
    # row's own number.
    "before": (
        "x: Real[n, c], y: Real[n, c], w: Weight[c] = None, t: Real[n] = None",
        "upto = Sum(exp(x[n, m]), m, where=m <= k)\n"
        "    past = Sum(w[m]*x[n, m]*y[n, m], m, where=m < k)\n"
        "    return Sum(log(upto) + past*x[n, k], k) + where(given(t), t[n]**2, 0)",
    ),
    # Extremes over pairs, and rows that lie apart.
    "nearest": (
        "x: Real[n, c, s], y: Real[n, c, s]",
        "near = Amin((x[n, k, s] - x[n, c, s])**2, k, where=k != c)\n"
        "    far = Amax(Abs(x[n, k, s] - y[n, c, s]), k, c)\n"
        "    above = Any(y[n, k, s] > y[n, c, s], k)\n"
        "    return Sum(near, c, where=above) + far",
    ),
    # What has a label is counted there.
    "bins": (
        "x: Real[n, c], y: Real[n, c], z: LabelList[n, c]",
        "held = Sum(x[n, k]**2, k, where=z[n, k] == c)\n    return Sum(y[n, c]*held**2, c)",
    ),
}


@pytest.mark.parametrize("name", LOSSES)
def test_kernels_are_the_plain_form(name: str, tmp_path: Path) -> None:
    arguments, body = LOSSES[name]
    spec = written(f'@loss()\ndef {name}({arguments}):\n    "A loss."\n    {body}\n', name)
    made = source(spec, (), "c")
    assert made.kernels is not None
    assert "The positions of a row meet one another." in made.kernels
    path = tmp_path / f"{name}.py"
    path.write_text(made.module, encoding="utf-8")
    path.with_suffix(".c").write_text(made.kernels, encoding="utf-8")
    module = imported(f"crossed_{name}", path)
    draw = torch.Generator().manual_seed(0)
    x, y = torch.randn(2, 5, 37, *[2] * (name == "nearest"), generator=draw, dtype=torch.float64)
    own = torch.rand(5, generator=draw, dtype=torch.float64).requires_grad_()
    given = {"x": x.requires_grad_(), "y": y.requires_grad_(name in ("energy", "before"))}
    given |= {"t": own} if name == "before" else {}
    given |= {"z": torch.randint(-2, 40, x.shape, generator=draw)} if name == "bins" else {}
    leaves = [v for v in given.values() if v.requires_grad]
    found = []
    for context in (only_kernels, without_kernels):
        with context(module):
            value = getattr(module, spec.functional_name)(**given, reduction="none")
            pulls = torch.linspace(0.5, 2, value.numel(), dtype=x.dtype).reshape(value.shape)
            found.append((value.detach(), *torch.autograd.grad(value, leaves, pulls)))
    torch.testing.assert_close(*found, rtol=1e-12, atol=1e-13)


def lists(rows: int, classes: int) -> torch.Tensor:
    """Lists of labels, each ended by -1 unless it is full; after that anything may follow."""
    draw = torch.Generator().manual_seed(rows)
    found = torch.rand(rows, classes, generator=draw).argsort(1)
    ends = torch.randint(0, classes + 1, (rows,), generator=draw)
    found[torch.arange(classes) == ends[:, None]] = -1
    return found.masked_fill(torch.arange(classes) > ends[:, None], 1 << 40)


@pytest.mark.parametrize("shape", [(1, 1), (7, 3), (90, 65)])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_lists_of_labels_as_torch_takes_them(shape: tuple[int, int], reduction: str) -> None:
    x = torch.randn(shape, dtype=torch.float64).requires_grad_()
    target = lists(*shape)
    with only_kernels(load(NAME)):
        value = functional(NAME)(x, target, reduction=reduction)
    known = target.masked_fill(target > shape[1], -1)
    expected = F.multilabel_margin_loss(x, known, reduction=reduction)
    torch.testing.assert_close(value, expected, rtol=1e-13, atol=1e-14, equal_nan=True)
    ours, theirs = (torch.autograd.grad(v.sum(), x)[0] for v in (value, expected))
    torch.testing.assert_close(ours, theirs, rtol=1e-13, atol=1e-14, equal_nan=True)


def test_no_rows() -> None:
    x = torch.zeros(0, 3, requires_grad=True)
    with only_kernels(load(NAME)):
        value = functional(NAME)(x, torch.zeros(0, 3, dtype=torch.int64), reduction="sum")
    assert value.item() == 0
    assert torch.autograd.grad(value, x)[0].shape == (0, 3)


@pytest.mark.parametrize("label", [5, 1 << 40])
def test_a_label_of_no_class(label: int) -> None:
    target = torch.tensor([[0, -1, 0, 0, 0], [1, label, -1, 0, 0]])
    with pytest.raises(IndexError, match=r"multilabel_margin_loss: a label is not in \[0, C\)"):
        functional(NAME)(torch.zeros(2, 5), target)


def test_columns_in_any_layout() -> None:
    x = torch.randn(9, 40, 2)[..., 0].T.requires_grad_()
    target = lists(40, 9)
    with only_kernels(load(NAME)):
        value = functional(NAME)(x, target.T.contiguous().T)
    expected = F.multilabel_margin_loss(x, target.masked_fill(target > 9, -1))
    torch.testing.assert_close(value, expected)
