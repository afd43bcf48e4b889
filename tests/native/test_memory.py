"""What a kernel needs beside its inputs: the gradient, and nothing that grows with them."""

from __future__ import annotations

import mmap
import os
import shutil
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from lossgen.bench.memory import kept, peak
from tests.native.kernels import functional, load, only_kernels

COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
pytestmark = pytest.mark.skipif(COMPILER is None or os.name == "nt", reason="no C compiler")
SLACK = 1 << 12  # the loss itself, and what a call's few numbers take

CASES: dict[str, Callable[[], tuple[Tensor, ...]]] = {
    "mse": lambda: (torch.randn(1 << 20), torch.randn(1 << 20)),
    "cross_entropy": lambda: (torch.randn(4, 8, 1 << 15), torch.randint(0, 8, (4, 1 << 15))),
    "dice": lambda: (torch.randn(4, 8, 1 << 15), torch.rand(4, 8, 1 << 15)),
    "triplet_margin": lambda: tuple(torch.randn(1 << 14, 64) for _ in range(3)),
}


@pytest.mark.parametrize("upstream", [1.0, 0.5])
@pytest.mark.parametrize("name", CASES)
def test_the_gradient_is_all(name: str, upstream: float) -> None:
    lead, *rest = CASES[name]()
    lead.requires_grad_()

    def step() -> None:
        lead.grad = None
        torch.autograd.backward(functional(name)(lead, *rest), torch.tensor(upstream))

    with only_kernels(load(name)):
        step()
        most = peak(step, {"input": lead}, "cpu")
    assert lead.nbytes <= most <= lead.nbytes + SLACK


@pytest.mark.parametrize("name", CASES)
def test_an_unreduced_loss_keeps_its_inputs_alone(name: str) -> None:
    lead, *rest = CASES[name]()
    lead.requires_grad_()
    given = {str(k): x for k, x in enumerate((lead, *rest))}

    def form(**tensors: Tensor) -> Tensor:
        return functional(name)(*tensors.values(), reduction="none")

    with only_kernels(load(name)):
        assert kept(form, given) == 0


LARGE = {"mse": (9_000_001,), "cross_entropy": (2, 19, 300, 800), "softmax_focal": (500_000, 17)}


@pytest.mark.parametrize("name", LARGE)
def test_large_gradients_are_those_of_their_parts(name: str) -> None:
    """New memory for them is asked of the system by the kernel."""
    shape = LARGE[name]
    lead = torch.randn(shape)
    places = (shape[0], *shape[2:])
    target = torch.randn(shape) if len(shape) == 1 else torch.randint(0, shape[1], places)
    half = shape[0] // 2

    def gradient(x: Tensor, y: Tensor) -> Tensor:
        x = x.detach().requires_grad_()
        (found,) = torch.autograd.grad(functional(name)(x, y, reduction="sum"), x)
        return found

    with only_kernels(load(name)):
        whole = gradient(lead, target)
        parts = [gradient(lead[k], target[k]) for k in (slice(half), slice(half, None))]
    assert whole.nbytes > 1 << 25
    assert torch.equal(whole, torch.cat(parts))


ZONES = """\
Node 0, zone    DMA32      3      3      7      3      7      7      5      5      5      {0}    {1}
Node 0, zone   Normal  13435  50325  16887   5426    582    686    661   1119    724      1      0
"""


def test_large_pages_are_those_at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    module = load("mse")
    told: list[str] = []

    class Told:
        def __init__(self, path: str) -> None:
            assert path == "/proc/buddyinfo"

        def read_text(self) -> str:
            if not told:
                raise PermissionError
            return told[0]

    monkeypatch.setattr(module, "Path", Told)
    assert module._large_pages_free() == 0
    told.append(ZONES.format(5, 748))
    assert module._large_pages_free() == (5 + 2 * 748 + 1) * (mmap.PAGESIZE == 4096)


@pytest.mark.parametrize(("elements", "free", "asks"), [
    (1 << 22, 1000, False),  # the C library has such memory itself
    (1 << 23, 24, True),  # half as many again as the sixteen that it takes
    (1 << 23, 23, False),
    (9_000_001, 1000, True),
])  # fmt: skip
def test_large_gradients_have_large_pages_if_these_are_at_hand(
    elements: int, free: int, asks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, large = load("mse"), 1 << 21
    asked: list[tuple[int, int, int]] = []
    monkeypatch.setattr(module, "_madvise", lambda: lambda *words: asked.append(words))
    monkeypatch.setattr(module, "_large_pages_free", lambda: free)
    made = module._new_like(torch.empty(elements))
    assert made.shape == (elements,)
    assert len(asked) == asks
    for start, size, what in asked:
        assert (start % large, size % large, what) == (0, 0, 14)
        assert made.data_ptr() <= start < made.data_ptr() + large
        assert 0 <= made.data_ptr() + made.nbytes - (start + size) < large
