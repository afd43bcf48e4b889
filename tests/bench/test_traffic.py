"""Bytes, functions and matrix products of a loss, counted by hand from its formula."""

from functools import cache
from pathlib import Path

import pytest

from lossgen.accuracy.settings import settings
from lossgen.bench.resolved import resolved
from lossgen.bench.shapes import small_sizes, usual_sizes
from lossgen.bench.tensors import learned, passed
from lossgen.bench.traffic import Shapes, Traffic, index_bytes, traffic
from lossgen.compiled import Compiled, compile_loss
from lossgen.spec import load_spec

SPECS = Path(__file__).parents[2] / "specs"
NAMES = sorted(path.stem for path in SPECS.glob("*.py"))


@cache
def loss(name: str) -> Compiled:
    return compile_loss(load_spec(SPECS / f"{name}.py"))


def counted(name: str, sizes: dict[str, tuple[int, ...]], **options: object) -> Traffic:
    compiled = loss(name)
    tensors = passed(compiled.spec)
    shaped = Shapes(
        axes={t.name: t.axes for t in tensors},
        item={t.name: index_bytes(t.role.kind, 4) for t in tensors},
        sizes=sizes,
    )
    call = resolved(
        compiled,
        {**settings(compiled.spec)[0].options, **options},
        {t.name for t in tensors},
        learned(compiled.spec),
    )
    return traffic(call, shaped)


def times(found: Traffic) -> dict[str, int]:
    return {x.name: x.times for x in found.reads}


LARGE = {"n": (8,), "c": (16,), "s": (256, 256)}


@pytest.mark.parametrize(
    ("name", "sizes", "reads"),
    [
        ("mse", {"e": (1_000_000,)}, {"input": 1, "target": 1}),
        # The slope of a Dice loss waits for sums over a sample of a class: 512 kB in this case,
        # which stays in the cache, and 4 MB in the next, which does not.
        ("dice", {"n": (8,), "c": (16,), "s": (256, 256)}, {"input": 1, "target": 1}),
        ("dice", {"n": (8,), "c": (16,), "s": (1024, 512)}, {"input": 2, "target": 2}),
        # Over the batch: 4 MB.
        ("batch_dice", LARGE, {"input": 2, "target": 2}),
        # A softmax ties the classes of a position together, the sums the positions of a class.
        ("tversky", LARGE, {"input": 2, "target": 2}),
        ("cross_entropy", {"n": (4096,), "c": (32_000,), "s": ()}, {"input": 1, "target": 1}),
        # The mean divides by the number of kept labels, 4 MB of which must be read before.
        ("cross_entropy", {"n": (524_288,), "c": (4,), "s": ()}, {"input": 1, "target": 2}),
        ("gaussian_nll", {"e": (10**6,)}, {"input": 1, "target": 1, "var": 1}),
        # Lengths of rows are sums over a row.
        (
            "cosine_embedding",
            {"n": (65_536,), "d": (128,)},
            {"input1": 1, "input2": 1, "target": 1},
        ),
    ],
)
def test_how_often_each_input_is_read(
    name: str, sizes: dict[str, tuple[int, ...]], reads: dict[str, int]
) -> None:
    assert times(counted(name, sizes)) == reads


def test_bytes_are_those_of_inputs_read_and_gradients_written() -> None:
    assert counted("mse", {"e": (1000,)}).bytes == 3 * 4000
    # input and gradient of float32, labels of 64 bits
    assert counted("cross_entropy", {"n": (5,), "c": (7,), "s": ()}).bytes == 2 * 140 + 40
    # of the scores only those at the labels are read; the gradient is written whole
    assert counted("nll", {"n": (5,), "c": (7,), "s": ()}).bytes == 20 + 140 + 40
    # three inputs, two gradients
    assert counted("gaussian_nll", {"e": (1000,)}).bytes == 5 * 4000


@pytest.mark.parametrize(
    ("name", "sizes", "functions"),
    [
        ("mse", {"e": (1000,)}, {}),
        # softplus: exp(-|x|) and log1p of it; its slope, a sigmoid, is of the same exponential
        ("soft_margin", {"e": (1000,)}, {"exp": 1000, "log1p": 1000}),
        ("binary_cross_entropy_with_logits", {"e": (1000,)}, {"exp": 1000, "log1p": 1000}),
        # miss**2 needs no power; cross-entropy and sigmoid share the exponential
        ("sigmoid_focal", {"e": (1000,)}, {"exp": 1000, "log1p": 1000}),
        ("dice", {"n": (2,), "c": (3,), "s": (5,)}, {"exp": 30}),
        ("gaussian_nll", {"e": (1000,)}, {"log": 1000}),
        ("charbonnier", {"e": (1000,)}, {}),
    ],
)
def test_functions_are_counted_once(
    name: str, sizes: dict[str, tuple[int, ...]], functions: dict[str, int]
) -> None:
    assert counted(name, sizes).functions == functions


def test_a_power_is_counted_where_its_exponent_is_none_that_products_make() -> None:
    sizes = {"e": (1000,)}
    assert "pow" not in counted("sigmoid_focal", sizes, gamma=2.0).functions
    assert counted("sigmoid_focal", sizes, gamma=1.3).functions["pow"] == 1000


def test_a_softmax_is_an_exponential_an_element_and_a_logarithm_a_row() -> None:
    found = counted("cross_entropy", {"n": (5,), "c": (7,), "s": (2, 3)}).functions
    assert found["exp"] == 5 * 7 * 6
    assert found["log"] == 5 * 6


def test_matrix_products_have_their_shapes() -> None:
    found = counted("info_nce", {"n": (64,), "d": (16,)})
    shapes = [(p.batch, sorted((p.rows, p.inner, p.columns))) for p in found.products]
    # the cosines, and the slopes of both sides
    assert shapes == [(1, [16, 64, 64])] * 3
    assert [p.inner for p in found.products] == [16, 64, 64]
    assert counted("cosine_embedding", {"n": (64,), "d": (16,)}).products == ()


def test_options_switch_parts_off() -> None:
    sizes = {"e": (1000,)}
    assert counted("poisson_nll", sizes, log_input=True).functions == {"exp": 1000}
    assert counted("poisson_nll", sizes, log_input=False).functions == {"log": 1000}


@pytest.mark.parametrize("name", NAMES)
def test_usual_sizes_are_about_as_large_as_asked_for(name: str) -> None:
    compiled = loss(name)
    for wanted in (10_000, 2_000_000, 20_000_000):
        sizes = usual_sizes(compiled, wanted)
        shaped = {k: _count(v) for k, v in sizes.items()}
        arrays = [_product(shaped, [a.name for a in t.axes]) for t in passed(compiled.spec)] + [
            _product(shaped, [compiled.forward.axes[y].name for y in {*x.free, *x.bound}])
            for x in compiled.forward.statements
            if x.op == "map"
        ]
        assert wanted / 4 <= max(arrays) <= wanted * 4


@pytest.mark.parametrize("name", NAMES)
def test_a_small_batch_is_small(name: str) -> None:
    sizes = small_sizes(loss(name).spec)
    shaped = {k: _count(v) for k, v in sizes.items()}
    for t in passed(loss(name).spec):
        assert _product(shaped, [a.name for a in t.axes]) <= 2048


def _count(sides: tuple[int, ...]) -> int:
    found = 1
    for side in sides:
        found *= side
    return found


def _product(sizes: dict[str, int], axes: list[str]) -> int:
    return _count(tuple(int(a) if a.isdigit() else sizes[a] for a in axes))
