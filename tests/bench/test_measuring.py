"""What is measured: in turn, with the gradient that comes in, all the memory. Never how long."""

import math
import re
import xml.etree.ElementTree as ElementTree
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from lossgen.bench import memory, timing
from lossgen.bench.against import errors, reference
from lossgen.bench.chart import chart
from lossgen.bench.limit import Bytes, floor
from lossgen.bench.results import Bench, Limit, Measured, Spread, spread
from lossgen.bench.traffic import Moved, Traffic
from lossgen.cli.bench_sheet import show_bench


def test_forms_run_in_turn() -> None:
    order: list[str] = []
    steps = {name: (lambda name=name: order.append(name)) for name in "abc"}
    found = timing.in_turn(steps, rounds=3, device="cpu")
    assert {name: len(values) for name, values in found.items()} == {"a": 3, "b": 3, "c": 3}
    turns = [name for name, after in pairwise([*order, ""]) if name != after]
    assert "".join(turns)[-9:] == "abcbcacab"


def test_a_step_takes_the_gradient_that_comes_in_and_starts_from_none() -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    step = timing.step_of(lambda x: (x * x).sum(), {"x": x}, torch.tensor(0.5))
    step()
    step()
    assert x.grad is not None
    assert x.grad.tolist() == [1.0, 2.0]


def test_memory_is_counted_with_gradients_and_without_inputs() -> None:
    x = torch.ones(250_000, requires_grad=True)  # 1 MB

    def exponential(x: Tensor) -> Tensor:
        return x.exp().sum()

    kept = memory.kept(exponential, {"x": x})
    assert kept == 1_000_000  # the result of exp
    peak = memory.peak(timing.step_of(exponential, {"x": x}, None), {"x": x}, "cpu")
    assert 2_000_000 <= peak < 2_100_000  # and the gradient


def test_an_error_is_relative_to_float64() -> None:
    x = torch.tensor([3.0, 4.0], requires_grad=True)
    truth = reference(lambda x: (x * x).sum(), {"x": x}, upstream=0.5)
    assert errors(lambda x: (x * x).sum(), {"x": x}, 0.5, truth) == (0.0, 0.0)
    value, gradient = errors(lambda x: 1.1 * (x * x).sum(), {"x": x}, 0.5, truth)
    assert value == pytest.approx(0.1, rel=1e-5)
    assert gradient == pytest.approx(0.1, rel=1e-5)


def test_the_limit_reads_and_writes_what_it_says() -> None:
    moved = Traffic((Moved("x", 4000, 2),), (Moved("d_x", 4000, 1),), {}, ())
    assert moved.bytes == 12_000
    limit = Bytes(moved, "cpu")
    limit.warm[0].zero_()
    limit.step(fresh=False)()
    assert limit.warm[0].sum().item() == 1000
    limit.step(fresh=True)()
    assert limit.fresh[0].data_ptr() != limit.warm[0].data_ptr()
    assert limit.fresh[0].shape == limit.warm[0].shape


def test_functions_are_timed_by_their_count() -> None:
    assert floor({}, torch.float32, "cpu") == 0.0
    for name in ("exp", "pow", "lgamma", "erf", "atan"):
        assert floor({name: 1000}, torch.float32, "cpu", rounds=1) > 0


def test_a_spread_of_one_and_of_several() -> None:
    assert spread([2.0]) == Spread(2.0, 2.0, 2.0)
    assert spread([1.0, 2.0, 3.0, 4.0, 5.0]) == Spread(2.0, 3.0, 4.0)


def test_a_chart_has_a_bar_for_every_form_as_long_as_its_time() -> None:
    forms = (_form("eager", 0.004), _form("torch <2>", 0.008))
    tree = ElementTree.fromstring(chart(_bench(forms)))
    texts = ["".join(node.itertext()) for node in tree.iter() if node.tag.endswith("text")]
    assert {"eager", "torch <2>"} <= {*texts}
    bars = [
        float(node.attrib["width"])
        for node in tree.iter()
        if node.tag.endswith("rect") and node.attrib.get("height") == "18"
    ]
    assert len(bars) == 2
    assert bars[1] == pytest.approx(2 * bars[0], rel=0.01)


def test_what_json_has_no_number_for_is_a_word() -> None:
    found = _bench((_form("eager", math.inf),)).as_dict()
    assert found["forms"][0]["seconds"]["median"] == "inf"


@pytest.mark.parametrize("width", [80, 200])
def test_a_table_that_the_terminal_is_too_narrow_for_is_two(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm-256color")
    show_bench(_bench((_form("eager", 0.004), _form("torch.compile(function)", 0.008))))
    lines = re.sub("\x1b\\[[0-9;]*m", "", capsys.readouterr().out).splitlines()
    heads = [line for line in lines if line.startswith("form")]
    assert len(heads) == (2 if width == 80 else 1)
    assert all(head in " ".join(heads) for head in ("quartiles", "x limit", "peak", "gradient"))
    tables = [
        line for line in lines if line.startswith(("form", "eager", "torch.compile", "limit"))
    ]
    assert max(map(len, tables)) <= width


def _form(name: str, seconds: float) -> Measured:
    one = Spread(seconds * 0.9, seconds, seconds * 1.1)
    return Measured(name, "generated", one, one, None, 0.1, None, 10, 5, 0.0, 0.0)


def _bench(forms: tuple[Measured, ...]) -> Bench:
    one = Spread(1e-3, 1e-3, 1e-3)
    return Bench(
        name="mse",
        shapes={"input": (1000,)},
        sizes={"e": (1000,)},
        small_sizes={},
        gradients=("input",),
        dtype="float32",
        device="cpu",
        threads=1,
        rounds=1,
        upstream=1.0,
        torch="2",
        processor="CPU",
        limit=Limit(12_000, "input read once", one, one, {}, 0.0, None, 1e-3),
        forms=forms,
        best_peer="",
        skipped=(),
    )
