"""Losses that read neighbours by their kernels, against slices in torch."""

from __future__ import annotations

import ctypes
import mmap
import os
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor

from lossgen.pipeline import source
from lossgen.spec import LossSpec, load_spec
from tests.machinery.importing import imported
from tests.native.kernels import only_kernels

COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
pytestmark = pytest.mark.skipif(COMPILER is None or os.name == "nt", reason="no C compiler")

Formula = Callable[[Tensor, Tensor], Tensor]
SPACE = (1, 2, 3)
# What a loss returns, and the same in torch: values of a whole image that is 0 outside.
LOSSES: dict[str, tuple[str, Formula]] = {
    "bend": (
        "Sum((x[n, c, h + 1, w] - 2*x[n, c, h, w] + x[n, c, h - 1, w])**2, c, h, w)",
        lambda x, y: (x[:, :, 2:] - 2 * x[:, :, 1:-1] + x[:, :, :-2]).square().sum(SPACE),
    ),
    "corner": (
        "Sum(Abs(x[n, c, h + 1, w + 1] - x[n, c, h, w]), c, h, w)",
        lambda x, y: (x[:, :, 1:, 1:] - x[:, :, :-1, :-1]).abs().sum(SPACE),
    ),
    "two_apart": (
        "Mean((x[n, c, h, w + 2] - x[n, c, h, w])**2, c, h, w)",
        lambda x, y: (x[:, :, :, 2:] - x[:, :, :, :-2]).square().mean(SPACE),
    ),
    "edges": (
        "Sum(exp(-Abs(y[n, c, h, w] - y[n, c, h, w - 1])) * Abs(x[n, c, h, w] - x[n, c, h, w - 1]),"
        " c, h, w)",
        lambda x, y: (y.diff().abs().neg().exp() * x.diff().abs()).sum(SPACE),
    ),
    "between_functions": (
        "Sum(at(tanh(x[n, c, h, w]), w=w + 1) * tanh(x[n, c, h, w]), c, h, w)",
        lambda x, y: (x.tanh()[..., 1:] * x.tanh()[..., :-1]).sum(SPACE),
    ),
    "of_the_whole": (
        "Sum(Max(0, x[n, c, h + 1, w] - x[n, c, h, w] - Mean(y[n, c, h, w], c, h, w)), c, h, w)",
        lambda x, y: (x.diff(dim=2) - y.mean(SPACE)[:, None, None, None]).relu().sum(SPACE),
    ),
}
# Beside small images: one pixel wide or high, and rows of more than a block.
SHAPES = ((2, 3, 5, 7), (1, 2, 1, 9), (2, 1, 6, 1), (1, 1, 2, 1031), (3, 2, 3, 3))


def spec(folder: Path, name: str, body: str) -> LossSpec:
    path = folder / f"{name}.py"
    path.write_text(
        f"""
from lossgen.language import Abs, Max, Mean, Real, Sum, at, c, exp, h, loss, n, tanh, w


@loss()
def {name}(x: Real[n, c, h, w], y: Real[n, c, h, w]):
    \"\"\"A loss of neighbours.\"\"\"
    return {body} + Sum(y[n, c, h, w]**2, c, h, w)
""",
        encoding="utf-8",
    )
    return load_spec(path)


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], ModuleType]:
    folder = tmp_path_factory.mktemp("neighbours")

    @cache
    def made(name: str) -> ModuleType:
        found = source(spec(folder, name, LOSSES[name][0]), (), "c")
        assert found.kernels is not None, found.note
        path = folder / f"made_{name}.py"
        path.write_text(found.module, encoding="utf-8")
        path.with_suffix(".c").write_text(found.kernels, encoding="utf-8")
        return imported(f"neighbours_{name}", path)

    return made


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", LOSSES)
def test_the_same_as_slices(
    name: str, shape: tuple[int, ...], load: Callable[[str], ModuleType]
) -> None:
    if name == "two_apart" and shape[-1] < 3:
        pytest.skip("a mean of nothing")
    module = load(name)
    function: Formula = getattr(module, f"{name}_loss")
    x, y = (torch.randn(shape, dtype=torch.float64).requires_grad_() for _ in range(2))
    weight = torch.randn(shape[0], dtype=torch.float64)
    exact = LOSSES[name][1](x, y) + y.square().sum(SPACE)
    wanted = torch.autograd.grad((exact * weight).sum(), (x, y))
    with only_kernels(module):
        whole = function(x, y, reduction="sum")  # type: ignore[call-arg]
        torch.testing.assert_close(whole, exact.sum())
        found = function(x, y, reduction="none")  # type: ignore[call-arg]
        torch.testing.assert_close(found, exact)
        gradients = torch.autograd.grad((found * weight).sum(), (x, y))
    torch.testing.assert_close(gradients, wanted)


@pytest.mark.parametrize("name", ["bend", "corner", "edges"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_nothing_outside_is_read(
    name: str, dtype: torch.dtype, load: Callable[[str], ModuleType]
) -> None:
    """Before and after the image lie pages that nobody may touch: the process would end."""
    libc, page, size = ctypes.CDLL(None, use_errno=True), mmap.PAGESIZE, dtype.itemsize
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = (*[ctypes.c_void_p, ctypes.c_size_t], *[ctypes.c_int] * 3, ctypes.c_long)
    libc.mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    start = libc.mmap(None, 3 * page, 0, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
    assert not libc.mprotect(start + page, page, mmap.PROT_READ | mmap.PROT_WRITE)
    memory = (ctypes.c_char * page).from_address(start + page)
    x = torch.frombuffer(memory, dtype=dtype).view(1, 1, -1, 16 * 4 // size)
    x.copy_(torch.randn(x.shape))
    y = x.detach().clone()
    module = load(name)
    with only_kernels(module):
        found = getattr(module, f"{name}_loss")(x.requires_grad_(), y)
        (gradient,) = torch.autograd.grad(found, x)
        apart = y.detach().clone().requires_grad_()
        wanted = getattr(module, f"{name}_loss")(apart, y)
    assert torch.equal(found, wanted)
    assert torch.equal(gradient, torch.autograd.grad(wanted, apart)[0])


def test_an_unreduced_loss_of_fewer_elements_has_no_kernel(tmp_path: Path) -> None:
    made = source(spec(tmp_path, "steps", "(x[n, c, h, w + 1] - x[n, c, h, w])**2"), (), "c")
    assert made.kernels is None
    assert "has no value at the ends of an axis" in made.note


def test_a_row_amid_others_asks_for_none(tmp_path: Path) -> None:
    """What is the same for a whole loop stands before it; along the vectors, each element asks."""
    made = source(spec(tmp_path, "bend_anew", LOSSES["bend"][0]), (), "c")
    assert made.kernels is not None
    _, amid, rest = made.kernels.partition("if (h >= 2 && h + 2 < H) {")
    assert amid
    amid, _, at_the_ends = rest.partition("} else {")
    asked = ("h + 1 < H", "h >= 1", "h + 2 < H", "h >= 2")
    assert [x for x in asked if x in amid] == []
    assert [x for x in asked if x not in at_the_ends] == []
    across = source(spec(tmp_path, "across", LOSSES["two_apart"][0]), (), "c")
    assert across.kernels is not None
    assert "} else {" not in across.kernels.partition("Over the data")[2].partition("total_part")[0]
