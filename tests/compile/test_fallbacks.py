"""Where nothing can be compiled the eager form answers; nothing is compiled before a call."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.compile.made import Compiled, fresh, text


def test_import_compiles_nothing(tmp_path: Path) -> None:
    (tmp_path / "dice.py").write_text(text("dice"), encoding="utf-8")
    code = (
        "import sys, dice; print('torch._inductor' in sys.modules, 'torch._dynamo' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "False"]
    assert not any(vars(fresh("dice"))["_dice_compiled"].variants)


def test_a_failing_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first call that fails gives the right result, and no later call tries again."""
    calls = []

    def broken(function: Any, **options: Any) -> Any:
        def call(*args: Any, **named: Any) -> Any:
            calls.append(function)
            raise RuntimeError("no compiler")

        return call

    monkeypatch.setattr(torch, "compile", broken)
    loss = Compiled("dice")
    for _ in range(3):
        results = []
        for function in (loss.functional, loss.drawn.functional):
            leaves = loss.drawn.leaves()
            value = function(**leaves)
            results.append((value, torch.autograd.grad(value, [*leaves.values()])))
        torch.testing.assert_close(*results)
    assert len(calls) == 1


def test_no_compiler(tmp_path: Path) -> None:
    """Without a C++ compiler on the machine."""
    (tmp_path / "dice.py").write_text(text("dice"), encoding="utf-8")
    code = (
        "import torch, dice\n"
        "x, y = torch.randn(2, 3, 4, requires_grad=True), torch.rand(2, 3, 4)\n"
        "ours, theirs = dice.dice_loss(x, y), dice.dice(x, y)\n"
        "torch.testing.assert_close(ours, theirs)\n"
        "a, b = torch.autograd.grad(ours, x), torch.autograd.grad(theirs, x)\n"
        "torch.testing.assert_close(a, b)\n"
        "print(dice._dice_compiled.failed)\n"
    )
    absent = {
        "CXX": "no-such-compiler", "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "cache"),
        "TORCHINDUCTOR_FORCE_DISABLE_CACHES": "1",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path, env={**os.environ, **absent}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["True"]


def test_a_fault_of_the_input_is_no_fault_of_the_compiler(graphs: list[Any]) -> None:
    loss = Compiled("dice")
    with pytest.raises(ValueError, match="target must be"):
        loss.functional(torch.zeros(2, 3, 4), torch.zeros(2, 3, 5))
    assert not loss.parts[0].failed


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_no_elements_and_no_device(device: str, graphs: list[Any]) -> None:
    loss = Compiled("dice")
    shape = (2, 3, 0) if device == "cpu" else (2, 3, 4)
    x = torch.zeros(shape, device=device, requires_grad=True)
    value = loss.functional(x, torch.zeros(shape, device=device))
    assert torch.autograd.grad(value, x)[0].shape == x.shape
    assert not graphs


def test_labels_outside() -> None:
    """In compiled code a label that is no class gives NaN; it must not end the process."""
    loss = Compiled("cross_entropy", optional=False)
    x = torch.randn(4, 3, requires_grad=True)
    for weight in (None, torch.ones(3)):
        value = loss.functional(x, torch.tensor([0, 1, 2, 7]), weight, reduction="none")
        assert value[3].isnan()
        assert value[:3].isfinite().all()
    loss.check_compiled()


def test_inside_a_compiled_function(graphs: list[Any]) -> None:
    """Somebody's own torch.compile takes the eager form, as one graph."""
    loss = Compiled("dice")
    x, y = loss.drawn.tensors["input"], loss.drawn.tensors["target"]
    outer = torch.compile(lambda a, b: 2 * loss.functional(a, b), fullgraph=True)
    leaf = x.clone().requires_grad_()
    torch.testing.assert_close(outer(leaf, y), 2 * loss.drawn.functional(leaf, y))
    assert len(graphs) == 1
    assert not loss.parts[0].variants


def test_export() -> None:
    loss = Compiled("dice")

    class Holder(torch.nn.Module):
        def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return loss.functional(x, y)

    tensors = tuple(loss.drawn.tensors.values())
    program = torch.export.export(Holder(), tensors, strict=False)
    torch.testing.assert_close(program.module()(*tensors), loss.drawn.functional(*tensors))
