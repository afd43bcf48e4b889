"""Tensors inside dictionaries, tuples and objects, and parameters that a module holds."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import lossgen
from lossgen.errors import LossgenError
from lossgen.library import Library
from lossgen.paths import shipped
from lossgen.verify.checks import CHECKS
from lossgen.verify.matching import match
from lossgen.verify.packing import packed, packed_text, within
from lossgen.verify.save import saved
from lossgen.verify.target import describe_target
from lossgen.verify.verdict import Report

LIBRARY = Library([shipped("specs")])


def asked(code: object, formula: str, **said: Any) -> Report:
    """With the first checks alone."""
    skip = [x for x in CHECKS if x not in ("runs", "value and gradient")]
    return lossgen.verify(code, formula, skip=skip, **said)


def of_attributes(outputs: Any, labels: Tensor) -> Tensor:
    return F.cross_entropy(outputs.logits, labels)


def of_keys(outputs: dict[str, Tensor], targets: dict[str, Tensor]) -> Tensor:
    return F.l1_loss(outputs["pred_boxes"], targets["boxes"])


def of_one(batch: dict[str, Tensor]) -> Tensor:
    return F.mse_loss(batch["input"], batch["target"])


def unpacked(output: tuple[Tensor, Tensor]) -> Tensor:
    y_pred, y = output
    return F.mse_loss(y_pred, y)


def by_place(output: list[Tensor]) -> Tensor:
    return ((output[0] - output[1]) ** 2).mean()


def halved(output: tuple[Tensor, Tensor]) -> Tensor:
    y_pred, y = output
    return F.mse_loss(y_pred, y) / 2


def several(preds: list[Tensor], target: Tensor) -> Tensor:
    return torch.stack([F.mse_loss(p, target) for p in preds]).sum()


def rows(input: Tensor, target: Tensor) -> Tensor:
    """It reads tensors by place; they are not opened."""
    return ((input[0] - target[0]) ** 2).mean() + ((input[1] - target[1]) ** 2).mean()


@pytest.mark.parametrize(
    ("code", "formula", "ways"),
    [
        (of_attributes, "cross_entropy", ("outputs.logits", "labels")),
        (of_keys, "l1", ('outputs["pred_boxes"]', 'targets["boxes"]')),
        (of_one, "mse", ('batch["input"]', 'batch["target"]')),
        (unpacked, "mse", ("output[0]", "output[1]")),
        (by_place, "mse", ("output[0]", "output[1]")),
    ],
)
def test_what_code_reads_of_its_arguments_is_given(
    code: Any, formula: str, ways: tuple[str, ...]
) -> None:
    taken = match(LIBRARY.load(formula), describe_target(code)).taken
    assert tuple(taken[x].name for x in ("input", "target")) == ways
    report = asked(code, formula)
    assert report.verdict == "holds"


def test_a_way_may_be_said() -> None:
    assert asked(several, "mse", map={"input": "preds[0]"}).verdict == "holds"
    assert asked(several, "mse").verdict == "does not hold"
    said = match(
        LIBRARY.load("mse"),
        describe_target(of_one),
        {"input": "batch['input']", "target": "batch[target]"},
    )
    assert said.taken["target"].steps == ("target",)
    with pytest.raises(LossgenError, match="does not say where a tensor lies"):
        asked(several, "mse", map={"input": "preds[0"})
    with pytest.raises(LossgenError, match="the code has no 'pred'"):
        match(LIBRARY.load("mse"), describe_target(several), {"input": "pred"})


def test_a_tensor_read_by_place_is_a_tensor() -> None:
    taken = match(LIBRARY.load("mse"), describe_target(rows)).taken
    assert taken["input"].name == "input"


def test_what_holds_tensors() -> None:
    assert within("a.b[0][key]") == ("a", (within("x.b")[1][0], 0, "key"))
    parts = {within("x.b[1]")[1]: 1, within("x.c")[1]: 2}
    assert packed(parts) == SimpleNamespace(b=(None, 1), c=2)
    assert packed_text(parts | {within("x.c")[1]: "c", within("x.b[1]")[1]: "t"}) == (
        "types.SimpleNamespace(b=(None, t), c=c)"
    )
    assert packed({(): 3}) == 3
    with pytest.raises(LossgenError, match="both as a tensor"):
        packed({(): 3, ("a",): 4})


def test_a_counter_example_is_packed_too(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "def loss(outputs, target):\n    return (outputs.pred - target).abs().mean() / 2\n"
    )
    text = saved(asked(f"{file}:loss", "l1"), tmp_path)
    assert "import types\n" in text
    assert "code(outputs=types.SimpleNamespace(pred=input), target=target)" in text
    with pytest.raises(AssertionError, match="not close"):
        exec(
            compile(text + "\ntest_loss()\n", str(tmp_path / "test_mine.py"), "exec"),
            {"__file__": str(file)},
        )


class Contrast(nn.Module):
    def __init__(self, start: float = 1 / 0.07) -> None:
        super().__init__()
        self.logit_scale = nn.Parameter(torch.ones([]) * math.log(start))

    def forward(self, image_features: Tensor, text_features: Tensor) -> Tensor:
        image, text = (F.normalize(x, dim=-1) for x in (image_features, text_features))
        scores = self.scale() * image @ text.T
        labels = torch.arange(len(image))
        return (F.cross_entropy(scores, labels) + F.cross_entropy(scores.T, labels)) / 2

    def scale(self) -> Tensor:
        return self.logit_scale.exp()


class Inherited(Contrast):
    pass


def test_a_parameter_that_a_module_holds() -> None:
    report = asked(Contrast, "clip")
    assert report.verdict == "holds"
    assert "the formula's logit_scale is the code's own parameter" in report.assumed
    taken = match(LIBRARY.load("clip"), describe_target(Inherited)).taken
    assert taken["logit_scale"].stage == "held"


def test_what_makes_a_loss_is_told_to_be_named() -> None:
    def make(gamma: float) -> Any:
        return lambda x, y: ((x - y).abs() ** gamma).mean()

    with pytest.raises(LossgenError, match="criterion = make"):
        asked(make, "mse")
