"""Losses over all pairs of a batch by blocks of rows, against torch's own and the plain form."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lossgen.bench.memory import peak
from lossgen.pipeline import source
from lossgen.spec import LossSpec, load_spec
from tests.machinery.importing import imported
from tests.native.kernels import COLUMNS, PAIRS, functional, load, only_kernels, without_kernels

COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
pytestmark = pytest.mark.skipif(COMPILER is None or os.name == "nt", reason="no C compiler")


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixteen rows at a time, the least."""
    for name in PAIRS:
        monkeypatch.setattr(load(name), "_BLOCK", 1)


def inputs(name: str, count: int, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    generator, width = torch.Generator().manual_seed(count), 6

    def drawn(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)

    if name in COLUMNS:
        return [drawn(width, count), drawn(width, count)]
    scalars = {"clip": [1.0], "siglip": [1.5, -2.0]}.get(name, [])
    if name in ("multi_similarity", "supcon"):
        return [drawn(count, width), torch.randint(0, 9, (count,), generator=generator)]
    if name == "arcface":
        label = torch.randint(0, count, (count,), generator=generator)
        return [drawn(count, width), label, drawn(count, width)]
    numbers = [torch.tensor(x, dtype=dtype) for x in scalars]
    return [drawn(count, width), drawn(count, width), *numbers]


def value_and_gradients(
    name: str, given: list[Tensor], reduction: str, module: ModuleType, *, kernel: bool
) -> tuple[Tensor, tuple[Tensor, ...]]:
    leaves = [x.clone().requires_grad_() if x.is_floating_point() else x for x in given]
    with (only_kernels if kernel else without_kernels)(module):
        value = functional(name)(*leaves, reduction=reduction)
        weights = torch.linspace(0.5, 2, value.numel(), dtype=value.dtype).reshape(value.shape)
        wanted = [x for x in leaves if x.requires_grad]
        found = torch.autograd.grad(value, wanted, weights)
    return value.detach(), found


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("count", [1, 16, 50])
@pytest.mark.parametrize("name", PAIRS)
def test_blocks_give_the_plain_form(name: str, count: int, reduction: str) -> None:
    given = inputs(name, count, dtype=torch.float64)
    if count > 16:
        given[0][3] = 0  # a row of length 0
    module = load(name)
    ours = value_and_gradients(name, given, reduction, module, kernel=True)
    theirs = value_and_gradients(name, given, reduction, module, kernel=False)
    torch.testing.assert_close(ours, theirs, rtol=1e-11, atol=1e-13, equal_nan=True)


@pytest.mark.parametrize("reduction", ["mean", "none"])
@pytest.mark.parametrize("count", [1, 50, 600])
@pytest.mark.parametrize(("name", "products"), [("clip", 1), ("nt_xent", 3), ("vicreg", 2)])
def test_scores_read_both_ways_are_formed_once(
    name: str, products: int, count: int, reduction: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, given = load(name), inputs(name, count, dtype=torch.float64)
    made, product = [], module._product

    def counted(*arguments: object) -> Tensor:
        made.append(arguments)
        return product(*arguments)

    value_and_gradients(name, given, reduction, module, kernel=True)  # its upstream is known now
    monkeypatch.setattr(module, "_product", counted)
    once = value_and_gradients(name, given, reduction, module, kernel=True)
    # "none": once more in the backward
    assert len(made) == products * (1 if reduction == "mean" else 2)
    monkeypatch.setattr(module, "_BLOCK", 1)
    twice = value_and_gradients(name, given, reduction, module, kernel=True)
    torch.testing.assert_close(once, twice, rtol=1e-11, atol=1e-13)


def written(folder: Path, body: str) -> LossSpec:
    """A loss over the products of two batches, `sim`, that returns `body`."""
    path = folder / "products.py"
    path.write_text(
        f"""
from lossgen.language import Embedding, Sum, at, d, exp, i, j, log, logsumexp, loss, n
from lossgen.language import stop_gradient


@loss()
def products(input: Embedding[n, d], target: Embedding[n, d]):
    \"\"\"A loss over the products of two batches.\"\"\"
    sim = Sum(at(input[n, d], n=i) * at(target[n, d], n=j), d)
    return {body}
""",
        encoding="utf-8",
    )
    return load_spec(path)


def test_scores_that_are_read_after_their_gradient_is_known_have_no_kernel(tmp_path: Path) -> None:
    made = source(written(tmp_path, "Sum(sim, j) + stop_gradient(logsumexp(sim, j))"), (), "c")
    assert made.kernels is None
    assert "reads scores again once their gradient is known" in made.note


def test_the_vectors_may_be_the_tensors_themselves(tmp_path: Path) -> None:
    made = source(written(tmp_path, "logsumexp(sim, j) - at(sim, j=i)"), (), "c")
    assert made.kernels is not None
    path = tmp_path / "products_in_c.py"
    path.write_text(made.module, encoding="utf-8")
    path.with_suffix(".c").write_text(made.kernels, encoding="utf-8")
    module = imported("products_in_c", path)
    input, target = (x.requires_grad_() for x in inputs("info_nce", 70, dtype=torch.float64))
    expected = F.cross_entropy(input @ target.T, torch.arange(70))
    with only_kernels(module):
        found = module.products_loss(input, target)
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=0)
        torch.testing.assert_close(
            torch.autograd.grad(found, (input, target)),
            torch.autograd.grad(expected, (input, target)),
            rtol=1e-10,
            atol=1e-15,
        )


def test_one_number_is_a_sum_over_rows_and_what_stands_beside_it(tmp_path: Path) -> None:
    apart, beside = "Sum(sim**2, i, j, where=i != j)", "Sum(input[n, d]**2, n, d)"
    one = f"Sum((1 - at(sim, j=i))**2, i)/3 + 2*({apart} + {beside})"
    made = source(written(tmp_path, one), (), "c")
    assert made.kernels is not None
    path = tmp_path / "number_in_c.py"
    path.write_text(made.module, encoding="utf-8")
    path.with_suffix(".c").write_text(made.kernels, encoding="utf-8")
    module = imported("number_in_c", path)
    input, target = (x.requires_grad_() for x in inputs("info_nce", 70, dtype=torch.float64))
    sim = input @ target.T
    off_diagonal = sim.square().sum() - sim.diagonal().square().sum()
    expected = (1 - sim.diagonal()).square().sum() / 3 + 2 * (off_diagonal + input.square().sum())
    with only_kernels(module):
        for reduction in ("mean", "none"):
            found = module.products_loss(input, target, reduction=reduction)
            torch.testing.assert_close(found, expected, rtol=1e-12, atol=0)
            torch.testing.assert_close(
                torch.autograd.grad(found, (input, target), found.new_tensor(0.3)),
                torch.autograd.grad(0.3 * expected, (input, target), retain_graph=True),
                rtol=1e-10,
                atol=1e-12,
            )


def test_a_function_of_a_sum_over_all_pairs_has_no_kernel(tmp_path: Path) -> None:
    made = source(written(tmp_path, "log(Sum(exp(sim), i, j))"), (), "c")
    assert made.kernels is None


def test_rows_of_one_tensor_with_each_other(tmp_path: Path) -> None:
    """The vectors of rows and columns are one tensor's, of which one is scaled."""
    path = tmp_path / "alone.py"
    path.write_text(
        "from lossgen.language import Embedding, Sum, at, d, i, j, logsumexp, loss, n\n\n\n"
        '@loss()\ndef alone(z: Embedding[n, d]):\n    """Rows among each other."""\n'
        "    sim = Sum(z[i, d] * z[j, d], d) / 4\n    return logsumexp(sim, j) - at(sim, j=i)\n",
        encoding="utf-8",
    )
    made = source(load_spec(path), (), "c")
    assert made.kernels is not None
    file = tmp_path / "alone_in_c.py"
    file.write_text(made.module, encoding="utf-8")
    file.with_suffix(".c").write_text(made.kernels, encoding="utf-8")
    module = imported("alone_in_c", file)
    z, _ = (x.requires_grad_() for x in inputs("info_nce", 20, dtype=torch.float64))
    expected = F.cross_entropy(z @ z.T / 4, torch.arange(20))
    with only_kernels(module):
        found = module.alone_loss(z)
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=0)
        slopes = [torch.autograd.grad(x, z)[0] for x in (found, expected)]
        torch.testing.assert_close(*slopes, rtol=1e-10, atol=1e-15)


@pytest.mark.usefixtures("small_blocks")
def test_info_nce_is_torchs_cross_entropy_of_the_cosines() -> None:
    query, key = (x.requires_grad_() for x in inputs("info_nce", 70, dtype=torch.float64))
    scores = F.normalize(query) @ F.normalize(key).T / 0.1
    expected = F.cross_entropy(scores, torch.arange(70))
    with only_kernels(load("info_nce")):
        found = functional("info_nce")(query, key)
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=0)
        torch.testing.assert_close(
            torch.autograd.grad(found, (query, key)),
            torch.autograd.grad(expected, (query, key)),
            rtol=1e-10,
            atol=1e-15,
        )


@pytest.mark.usefixtures("small_blocks")
def test_clip_is_torchs_cross_entropy_both_ways() -> None:
    image, text, scale = (x.requires_grad_() for x in inputs("clip", 70, dtype=torch.float64))
    scores = scale.exp() * F.normalize(image) @ F.normalize(text).T
    label = torch.arange(70)
    expected = (F.cross_entropy(scores, label) + F.cross_entropy(scores.T, label)) / 2
    with only_kernels(load("clip")):
        found = functional("clip")(image, text, scale)
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=0)
        torch.testing.assert_close(
            torch.autograd.grad(found, (image, text, scale)),
            torch.autograd.grad(expected, (image, text, scale)),
            rtol=1e-10,
            atol=1e-15,
        )


@pytest.mark.parametrize("name", PAIRS)
def test_no_array_has_all_pairs(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    count = 2048
    module = load(name)
    monkeypatch.setattr(module, "_BLOCK", 1 << 15)
    given = inputs(name, count, dtype=torch.float32)
    given[0].requires_grad_()

    def taken(function: Callable[..., Tensor]) -> int:
        def step() -> None:
            torch.autograd.backward(function(*given))

        step()
        return peak(step, {"input": given[0]}, "cpu")

    with only_kernels(module):
        assert taken(functional(name)) < count**2  # a quarter of the scores' bytes
    assert taken(getattr(module, name)) > 4 * count**2


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("name", ["info_nce", "multi_similarity", "vicreg"])
def test_second_derivatives(name: str) -> None:
    results = []
    for context in (only_kernels, without_kernels):
        leaf, *rest = inputs(name, 20, dtype=torch.float64)
        leaf.requires_grad_()
        with context(load(name)):
            value = functional(name)(leaf, *rest)
        (first,) = torch.autograd.grad(value, leaf, create_graph=True)
        results.append(torch.autograd.grad(first.square().sum(), leaf)[0])
    torch.testing.assert_close(*results, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", ["info_nce", "siglip", "supcon", "arcface", "barlow_twins"])
def test_half_precision_computes_in_single(name: str, dtype: torch.dtype) -> None:
    given = inputs(name, 40, dtype=dtype)
    module = load(name)
    value, found = value_and_gradients(name, given, "mean", module, kernel=True)
    exact = [x.float() if x.is_floating_point() else x for x in given]
    expected, gradients = value_and_gradients(name, exact, "mean", module, kernel=False)
    assert value.dtype == dtype
    assert all(x.dtype == dtype for x in found)
    torch.testing.assert_close(value, expected.to(dtype))
    for ours, theirs in zip(found, gradients, strict=True):
        torch.testing.assert_close(ours, theirs.to(dtype))


def test_autocast_multiplies_in_single() -> None:
    query, key = inputs("info_nce", 40, dtype=torch.float32)
    with only_kernels(load("info_nce")):
        expected = functional("info_nce")(query, key)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            torch.testing.assert_close(functional("info_nce")(query, key), expected, rtol=0, atol=0)
