"""Names, order and defaults of arguments are torch's; what torch refuses is refused, by name."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from tests import generated_modules
from tests.parity.grid import labels, numbers, reals
from tests.parity.losses import LOSSES

DEPRECATED = ("size_average", "reduce")
# Torch names the first argument of this forward after an option, log_input.
DIFFERENT_FORWARD = {"poisson_nll"}


def _shape_of(function: Callable[..., Any]) -> list[tuple[str, Any, Any]]:
    """Name, default and kind of each argument."""
    return [
        (parameter.name, parameter.default, parameter.kind)
        for parameter in inspect.signature(function).parameters.values()
    ]


def _class(loss: str) -> type[torch.nn.Module]:
    found: type[torch.nn.Module] = getattr(
        generated_modules.load(loss), LOSSES[loss].module.__name__
    )
    return found


@pytest.mark.parametrize("loss", LOSSES)
def test_functional_signature(loss: str) -> None:
    ours, theirs = generated_modules.functional(loss), LOSSES[loss].function
    assert _shape_of(ours) == _shape_of(theirs)


@pytest.mark.parametrize("loss", LOSSES)
def test_class_signatures(loss: str) -> None:
    ours, theirs = _class(loss), LOSSES[loss].module
    assert _shape_of(ours) == _shape_of(theirs)
    mine, original = (inspect.signature(cls.forward).parameters for cls in (ours, theirs))
    named = list(mine)[: len(original)]
    assert len(named) == len(original)
    assert named == list(original) or loss in DIFFERENT_FORWARD
    # A weight of one call is an argument of that call; torch's classes do not take it at all.
    assert all(mine[name].default is None for name in list(mine)[len(original) :])


# For each loss: arguments of one ordinary call, for the tests that vary one of them.
ORDINARY: dict[str, tuple[Tensor, ...]] = {
    **{
        loss: (reals(4, 3), reals(4, 3, low=0.1, high=0.9, seed=1))
        for loss in (
            "l1",
            "mse",
            "smooth_l1",
            "huber",
            "soft_margin",
            "binary_cross_entropy_with_logits",
            "kl_div",
            "poisson_nll",
            "hinge_embedding",
            "multilabel_soft_margin",
        )
    },
    "binary_cross_entropy": (reals(4, 3, low=0.1, high=0.9), reals(4, 3, low=0.1, high=0.9)),
    "cross_entropy": (reals(4, 3), labels(3, 4)),
    "nll": (reals(4, 3), labels(3, 4)),
    "multi_margin": (reals(4, 3), labels(3, 4)),
    "multilabel_margin": (reals(4, 3), labels(3, 4, 3)),
    "gaussian_nll": (reals(4, 3), reals(4, 3, seed=1), reals(4, 3, low=0.1)),
    "margin_ranking": (reals(4, 3), reals(4, 3, seed=1), reals(4, 3, seed=2).sign()),
    "cosine_embedding": (reals(4, 3), reals(4, 3, seed=1), numbers(1, -1, 1, 1)),
    "triplet_margin": (reals(4, 3), reals(4, 3, seed=1), reals(4, 3, seed=2)),
}


@pytest.mark.parametrize("name", DEPRECATED)
@pytest.mark.parametrize("loss", LOSSES)
def test_deprecated_arguments_are_refused_by_name(loss: str, name: str) -> None:
    function = generated_modules.functional(loss)
    if name not in inspect.signature(LOSSES[loss].function).parameters:
        pytest.skip("torch's form has no such argument")
    for value in (True, False):
        with pytest.raises(TypeError, match=name):
            function(*ORDINARY[loss], **{name: value})
        with pytest.raises(TypeError, match=name):
            _class(loss)(**{name: value})
    assert function(*ORDINARY[loss], **{name: None}).shape == ()


@pytest.mark.parametrize("loss", LOSSES)
def test_repr_lists_every_option(loss: str) -> None:
    module = _class(loss)()
    for name, parameter in inspect.signature(_class(loss)).parameters.items():
        if name not in DEPRECATED and not _is_buffer(module, name):
            assert f"{name}={parameter.default!r}" in repr(module)


def _is_buffer(module: torch.nn.Module, name: str) -> bool:
    return name in dict(module._buffers)


@pytest.mark.parametrize("loss", LOSSES)
def test_class_equals_functional(loss: str) -> None:
    function = generated_modules.functional(loss)
    for reduction in ("none", "mean", "sum"):
        ours = _class(loss)(reduction=reduction)(*ORDINARY[loss])
        assert torch.equal(ours, function(*ORDINARY[loss], reduction=reduction))


@pytest.mark.parametrize("reduction", ["abc", "", "MEAN", "batchmean", None, 1])
@pytest.mark.parametrize("loss", LOSSES)
def test_unknown_reductions(loss: str, reduction: Any) -> None:
    if loss == "kl_div" and reduction == "batchmean":
        pytest.skip("the one loss that has it")
    with pytest.raises((ValueError, TypeError), match="reduction"):
        generated_modules.functional(loss)(*ORDINARY[loss], reduction=reduction)
    # In the class torch notices at the call; ours may notice at construction already.
    with pytest.raises((ValueError, TypeError), match="reduction"):
        _class(loss)(reduction=reduction)(*ORDINARY[loss])


@pytest.mark.parametrize("loss", LOSSES)
def test_every_tensor_of_a_wrong_shape_is_refused(loss: str) -> None:
    function = generated_modules.functional(loss)
    for position, tensor in enumerate(ORDINARY[loss]):
        for wrong in (
            tensor.repeat_interleave(2, 0),
            tensor[None, None, None],
            tensor[:, None],
            tensor[:1],
            tensor[0],
        ):
            arguments = list(ORDINARY[loss])
            arguments[position] = wrong
            if loss == "gaussian_nll" and _accepts(LOSSES[loss].function, *arguments):
                continue  # the one whose target and variance may broadcast
            with pytest.raises(ValueError, match=loss) as caught:
                function(*arguments)
            assert str(list(wrong.shape)) in str(caught.value)


@pytest.mark.parametrize("loss", LOSSES)
def test_devices_must_agree(loss: str) -> None:
    function = generated_modules.functional(loss)
    first, *rest = ORDINARY[loss]
    with pytest.raises(ValueError, match="meta"):
        function(first, *(tensor.to("meta") for tensor in rest))


@pytest.mark.parametrize("loss", LOSSES)
def test_meta_tensors_give_the_shape(loss: str) -> None:
    function = generated_modules.functional(loss)
    for reduction in ("none", "mean"):
        held = function(*ORDINARY[loss], reduction=reduction)
        meta = function(*(tensor.to("meta") for tensor in ORDINARY[loss]), reduction=reduction)
        assert meta.device.type == "meta"
        assert meta.shape == held.shape


@pytest.mark.parametrize("wrong", [torch.int64, torch.bool, torch.complex64])
@pytest.mark.parametrize("loss", LOSSES)
def test_first_argument_must_be_real(loss: str, wrong: torch.dtype) -> None:
    first, *rest = ORDINARY[loss]
    if _accepts(LOSSES[loss].function, first.to(wrong), *rest) and not wrong.is_complex:
        pytest.skip("torch takes it")
    with pytest.raises(TypeError, match=loss):
        generated_modules.functional(loss)(first.to(wrong), *rest)


def _accepts(function: Callable[..., Any], *arguments: Any) -> bool:
    """Whether torch's own form takes the arguments."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            function(*arguments)
        except (RuntimeError, ValueError):
            return False
    return True


# What torch refuses, call by call; ours must refuse it too, by any of Python's usual errors.
REFUSED: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("cross_entropy", (reals(2, 3), torch.tensor([0, 3])), {}),
    ("cross_entropy", (reals(2, 3), torch.tensor([0, -1])), {}),
    ("cross_entropy", (reals(2, 3), labels(3, 2) > 0), {}),
    ("cross_entropy", (reals(2, 3), labels(3, 2, 3)), {}),
    ("cross_entropy", (reals(2, 3), reals(2)), {}),
    ("cross_entropy", (reals(2, 3), labels(3, 2, 1)), {}),
    ("cross_entropy", (reals(2, 3), labels(3, 2)), {"weight": reals(4)}),
    ("cross_entropy", (reals(2, 3), labels(3, 2)), {"weight": reals(3, 1)}),
    ("cross_entropy", (reals(2, 3), labels(3, 2)), {"label_smoothing": 1.5}),
    ("cross_entropy", (reals(2, 3), reals(2, 3)), {"ignore_index": 1}),
    ("cross_entropy", (reals(), torch.tensor(0)), {}),
    ("nll", (reals(2, 3), torch.tensor([0, 3])), {}),
    ("nll", (reals(2, 3), torch.tensor([0, -1])), {}),
    ("nll", (reals(2, 3), reals(2)), {}),
    ("nll", (reals(2, 3), labels(3, 2)), {"weight": reals(2)}),
    ("nll", (reals(), torch.tensor(0)), {}),
    ("multi_margin", (reals(2, 3), torch.tensor([0, 3])), {}),
    ("multi_margin", (reals(2, 3), torch.tensor([0, -1])), {}),
    ("multi_margin", (reals(2, 3), labels(3, 2)), {"p": 3}),
    ("multi_margin", (reals(2, 3), labels(3, 2)), {"weight": reals(3, 1)}),
    ("multi_margin", (reals(2, 3), labels(3, 2)), {"weight": reals(2)}),
    ("multi_margin", (reals(2, 2, 3), labels(3, 2, 2)), {}),
    ("multilabel_margin", (reals(2, 3), torch.full((2, 3), 3)), {}),
    ("multilabel_margin", (reals(2, 2, 3), labels(3, 2, 2, 3)), {}),
    ("l1", (reals(2, 3), reals(2, 3)), {"weight": reals(3)}),
    ("mse", (reals(2, 3), reals(2, 3)), {"weight": reals(1, 3)}),
    ("huber", (reals(2, 3), reals(2, 3)), {"weight": reals(3)}),
    ("huber", (reals(2), reals(2)), {"delta": 0.0}),
    ("huber", (reals(2), reals(2)), {"delta": -1.0}),
    ("smooth_l1", (reals(2), reals(2)), {"beta": -1.0}),
    ("binary_cross_entropy", (reals(3), reals(3)), {"weight": reals(2, 3)}),
    ("binary_cross_entropy_with_logits", (reals(3), reals(3)), {"weight": reals(2, 3)}),
    ("binary_cross_entropy_with_logits", (reals(3), reals(3)), {"pos_weight": reals(2)}),
    ("binary_cross_entropy_with_logits", (reals(3), reals(3)), {"pos_weight": reals(2, 3)}),
    ("gaussian_nll", (reals(2, 3), reals(2, 3), reals(3, low=1)), {}),
    ("gaussian_nll", (reals(2, 3), reals(2, 3), reals(1, 1, low=1)), {}),
    ("gaussian_nll", (reals(2, 3), reals(2, 3), reals(low=1)), {}),
    ("gaussian_nll", (reals(2, 3), reals(2, 3), reals(1, low=1)), {}),
    ("gaussian_nll", (reals(2, 3), reals(2, 2), reals(2, 3, low=1)), {}),
    ("gaussian_nll", (reals(2, 3), reals(2, 3), -0.1), {}),
    ("cosine_embedding", (reals(2, 3), reals(2, 3), torch.tensor(1.0)), {}),
    ("cosine_embedding", (reals(3), reals(3), numbers(1)), {}),
    ("cosine_embedding", (reals(), reals(), torch.tensor(1.0)), {}),
    ("cosine_embedding", (reals(2, 2, 3), reals(2, 2, 3), torch.ones(2, 2)), {}),
    ("triplet_margin", (reals(2, 3), reals(2, 3), reals(3)), {}),
    ("triplet_margin", (reals(2, 3), reals(2, 3), reals(2, 3)), {"margin": 0.0}),
    ("triplet_margin", (reals(2, 3), reals(2, 3), reals(2, 3)), {"margin": -1.0}),
    ("multilabel_soft_margin", (reals(), reals()), {}),
    ("multilabel_soft_margin", (reals(2, 3), reals(2, 3)), {"weight": reals(2)}),
]
ERRORS = (ValueError, TypeError, IndexError, RuntimeError)


@pytest.mark.parametrize(
    ("loss", "arguments", "options"),
    REFUSED,
    ids=[f"{loss}-{k}" for k, (loss, *_) in enumerate(REFUSED)],
)
def test_what_torch_refuses(loss: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
    with pytest.raises((*ERRORS, NotImplementedError)):
        LOSSES[loss].function(*arguments, **options)
    with pytest.raises(ERRORS):
        generated_modules.functional(loss)(*arguments, **options)
