"""Losses over pairs that go through the rows by blocks: the same as all pairs at once."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch
from torch import Tensor

from lossgen.bench.memory import peak
from lossgen.pipeline import render_losses
from tests import generated_modules
from tests.compiler.catalogue import spec_of
from tests.machinery.sampling import Sample, close, gradients, sample
from tests.machinery.test_autograd import second_order

NAMES = [
    name
    for name in generated_modules.names()
    if "_many_pairs(" in inspect.getsource(generated_modules.functional(name))
]
each_loss = pytest.mark.parametrize("name", NAMES)


def by_rows(drawn: Sample, patch: pytest.MonkeyPatch, rows: int = 1) -> list[int]:
    """From now on a loss takes so many rows at a time; how many, as they are taken."""
    taken: list[int] = []
    scores = drawn.module._scores  # type: ignore[attr-defined]

    def noted(product: object, vectors: list[Tensor], part: slice) -> Tensor:
        found: Tensor = scores(product, vectors, part)
        taken.append(len(found))
        return found

    patch.setattr(drawn.module, "_many_pairs", lambda x: True)
    patch.setattr(drawn.module, "_rows_at_once", lambda x: rows)
    patch.setattr(drawn.module, "_scores", noted)
    return taken


def first_order(drawn: Sample, reduction: str, keys: list[str] | None = None) -> list[Tensor]:
    leaves = drawn.leaves(keys)
    value = drawn.functional(**leaves, reduction=reduction)
    wanted = [x for x in leaves.values() if x.requires_grad]
    return [value.detach(), *(gradients(value, wanted) if wanted else [])]


def test_these_go_by_rows() -> None:
    pairs = {"clip", "info_nce", "multi_similarity", "nt_xent", "siglip", "supcon"}
    assert {*NAMES} == pairs


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@each_loss
def test_value_and_gradient(name: str, reduction: str, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = sample(name, False)
    subsets = [drawn.floats, *([key] for key in drawn.floats), []]
    whole = [first_order(drawn, reduction, keys) for keys in subsets]
    taken = by_rows(drawn, monkeypatch)
    close([first_order(drawn, reduction, keys) for keys in subsets], whole)
    assert {*taken} == {1}


@each_loss
def test_the_last_block_may_be_short(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = sample(name, False)
    with monkeypatch.context() as patch:
        by_rows(drawn, patch, 1)
        single = first_order(drawn, "mean")
    taken = by_rows(drawn, monkeypatch, 3)
    close(first_order(drawn, "mean"), single)
    assert {*taken} == {3, 1}


@each_loss
def test_second_derivative_and_forward_mode(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = sample(name, False)
    key = drawn.floats[0]
    x, rest = drawn.tensors[key], {k: v for k, v in drawn.tensors.items() if k != key}

    def derivatives() -> list[Tensor]:
        with torch.autograd.forward_ad.dual_level():
            dual = torch.autograd.forward_ad.make_dual(x, torch.ones_like(x))
            value = drawn.functional(**{key: dual}, **rest)
            slope = torch.autograd.forward_ad.unpack_dual(value).tangent
            assert slope is not None
        return [*second_order(drawn, closed_form=True), slope.detach().clone()]

    whole = derivatives()
    taken = by_rows(drawn, monkeypatch)
    close(derivatives(), whole)
    assert taken


@each_loss
def test_transforms_and_items_take_all_at_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = sample(name, False)
    key = drawn.floats[0]
    rest = {k: v for k, v in drawn.tensors.items() if k != key}
    asked = drawn.module._many_pairs  # type: ignore[attr-defined]
    taken = by_rows(drawn, monkeypatch, 0)
    monkeypatch.setattr(drawn.module, "_many_pairs", asked)

    def of_first(x: Tensor) -> Tensor:
        value: Tensor = drawn.functional(**{key: x}, **rest)
        return value

    x = drawn.tensors[key]
    torch.vmap(torch.func.grad(of_first))(torch.stack([x, x.flip(0)]))
    drawn.functional(**drawn.tensors, reduction="none")
    assert taken == []


@each_loss
def test_half_precision_and_autocast(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = sample(name, False)
    halved = {k: v.bfloat16() if k in drawn.floats else v for k, v in drawn.tensors.items()}

    def values() -> list[Tensor]:
        found = [drawn.functional(**halved)]
        with torch.autocast("cpu", torch.bfloat16):
            leaves = {k: v.float() if k in drawn.floats else v for k, v in halved.items()}
            return [*found, drawn.functional(**leaves)]

    whole = values()
    by_rows(drawn, monkeypatch)
    torch.testing.assert_close(values(), whole)


def test_a_mean_over_nothing_has_no_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = sample("supcon", False)
    by_rows(drawn, monkeypatch)
    x = drawn.tensors["input"].clone().requires_grad_()
    value = drawn.functional(x, torch.arange(len(x)))
    value.backward()
    assert value.isnan()
    assert x.grad is not None
    assert not x.grad.any()


def test_nothing_as_large_as_all_pairs_is_kept_or_made() -> None:
    loss = generated_modules.functional("info_nce")
    x = torch.zeros(3000, 2).normal_(generator=torch.Generator().manual_seed(0)).requires_grad_()
    kept: list[int] = []

    def keep(x: Tensor) -> Tensor:
        kept.append(x.numel())
        return x

    def step() -> None:
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
            loss(x, x.detach().flip(0)).backward()

    step()
    assert max(kept) == x.numel()
    assert peak(step, {"x": x}, "cpu") < 4 * len(x) ** 2  # one array of all pairs


@pytest.mark.parametrize(("role", "goes"), [("Positive", True), ("Real", False)])
def test_a_factor_that_may_be_infinite_keeps_all_at_once(role: str, goes: bool) -> None:
    body = "sim = Sum(at(x[n, d], n=i)*at(y[n, d], n=j), d)/tau; logsumexp(sim, j)"
    spec = spec_of(body, f"x: Real[n, d], y: Real[n, d], *, tau: {role} = 0.5")
    (rendered,) = render_losses([spec])
    assert ("_many_pairs(" in rendered.module) == goes


def test_a_reduction_of_ones_own_keeps_all_at_once() -> None:
    scores = "sim = Sum(at(x[n, d], n=i)*at(y[n, d], n=j), d); item = logsumexp(sim, j)"
    for end, goes in (("item", True), ("averaged(item, batchmean=size(n))", False)):
        (rendered,) = render_losses([spec_of(f"{scores}; {end}", "x: Real[n, d], y: Real[n, d]")])
        assert ("_many_pairs(" in rendered.module) == goes


def test_a_loss_that_is_one_number_is_not_divided() -> None:
    body = "g = Sum(x[i, d]*x[j, d], d); Sum(at(g, j=i), i) - Sum(g*at(g, i=j, j=i), i, j)/2"
    (rendered,) = render_losses([spec_of(body, "x: Real[n, d]")])
    space: dict[str, Any] = {"__name__": "made"}
    exec(compile(rendered.module, "made.py", "exec"), space)
    space["_rows_at_once"] = lambda x: 1
    x = torch.arange(18.0).view(6, 3).sin()
    for reduction in ("mean", "sum"):
        found = space["loss__loss"](x, reduction=reduction)
        torch.testing.assert_close(found, x.square().sum() - (x @ x.T).square().sum() / 2)
