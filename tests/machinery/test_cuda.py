"""On a GPU: the same values and gradients as on the CPU, without ever waiting for the device."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

from tests import generated_modules
from tests.machinery.sampling import Sample, sample

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")

NAMES = generated_modules.names()
each_loss = pytest.mark.parametrize("name", NAMES)
each_style = pytest.mark.parametrize("style", ["functional", "plain"])


def placed(drawn: Sample, device: str, dtype: torch.dtype) -> dict[str, Tensor]:
    """Leaves of the sample on a device, its floats in a dtype."""
    return {
        key: tensor.detach().to(device, dtype, copy=True).requires_grad_()
        if tensor.is_floating_point()
        else tensor.to(device)
        for key, tensor in drawn.tensors.items()
    }


def run(
    function: Callable[..., Tensor], leaves: dict[str, Tensor]
) -> tuple[Tensor, dict[str, Tensor]]:
    value = function(**leaves)
    value.backward()
    gradients = {key: x.grad for key, x in leaves.items() if x.grad is not None}
    return value.detach(), gradients


@each_style
@each_loss
def test_a_gpu_gives_what_a_cpu_gives(name: str, style: str) -> None:
    drawn = sample(name)
    function = getattr(drawn, style)
    value, gradients = run(function, placed(drawn, "cuda", torch.float64))
    wanted, wanted_gradients = run(function, placed(drawn, "cpu", torch.float64))
    torch.testing.assert_close(value.cpu(), wanted, rtol=1e-11, atol=1e-12)
    assert gradients.keys() == wanted_gradients.keys()
    for key, gradient in gradients.items():
        assert gradient.is_cuda
        torch.testing.assert_close(
            gradient.cpu(), wanted_gradients[key], rtol=1e-10, atol=1e-12, msg=key
        )


@each_loss
def test_single_precision_is_near_the_exact_value(name: str) -> None:
    drawn = sample(name)
    value, gradients = run(drawn.functional, placed(drawn, "cuda", torch.float32))
    rounded = Sample(
        name,
        drawn.spec,
        {k: t.float().double() if t.is_floating_point() else t for k, t in drawn.tensors.items()},
    )
    wanted, wanted_gradients = run(rounded.functional, placed(rounded, "cpu", torch.float64))
    torch.testing.assert_close(value.cpu().double(), wanted, rtol=1e-5, atol=1e-6)
    for key, gradient in gradients.items():
        exact = wanted_gradients[key]
        # Of the largest element: elements near 0 may be sums that cancel.
        assert (gradient.cpu().double() - exact).abs().max() <= 1e-5 * exact.abs().max() + 1e-7, key


@pytest.fixture
def no_waiting() -> Iterator[None]:
    """Raise where the host waits for the device, as reading a tensor's value would."""
    torch.cuda.set_sync_debug_mode("error")
    yield
    torch.cuda.set_sync_debug_mode("default")


@each_loss
def test_the_host_never_waits_for_the_device(name: str, no_waiting: None) -> None:
    drawn = sample(name)
    torch.cuda.set_sync_debug_mode("default")
    leaves = placed(drawn, "cuda", torch.float32)
    torch.cuda.set_sync_debug_mode("error")
    drawn.functional(**leaves).backward()


@each_loss
def test_autocast_gives_single_precision(name: str) -> None:
    drawn = sample(name)
    leaves = placed(drawn, "cuda", torch.bfloat16)
    with torch.autocast("cuda", dtype=torch.bfloat16):
        value = drawn.functional(**leaves)
    assert value.dtype == torch.float32
    value.backward()
    assert all(x.grad is None or x.grad.dtype == torch.bfloat16 for x in leaves.values())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dice", "cross_entropy", "sigmoid_focal", "info_nce", "huber"])
def test_compiled_for_a_gpu(name: str) -> None:
    drawn = sample(name)
    compiled = torch.compile(drawn.functional, fullgraph=True)
    value, gradients = run(compiled, placed(drawn, "cuda", torch.float64))
    wanted, wanted_gradients = run(drawn.functional, placed(drawn, "cpu", torch.float64))
    torch.testing.assert_close(value.cpu(), wanted, rtol=1e-10, atol=1e-12)
    for key, gradient in gradients.items():
        torch.testing.assert_close(
            gradient.cpu(), wanted_gradients[key], rtol=1e-9, atol=1e-11, msg=key
        )
