"""The derivative of every node, against numerical differentiation with 50 digits and more.

Where a node has a kink or a singular point its slope is a policy; those are listed and checked one
by one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import sympy as sp
from mpmath import mp
from sympy.core.symbol import Str

from lossgen import nodes as nd
from lossgen.derivatives import SLOPES, NoDerivative, partials
from lossgen.nodes import HALF, ONE, ZERO, Compare, Letter, Param, Read, Where
from tests.compiler.exact import evaluate

N = Letter("n")
X, Y = Read(Str("x"), N), Read(Str("y"), N)
P = Param("p")
ALL_REALS = (-30.0, -2.5, -1e-3, 1e-8, 0.7, 4.0, 25.0)
POINTS: Mapping[type[nd.Unary], tuple[float, ...]] = {
    nd.Log: (1e-9, 0.3, 1.0, 50.0),
    nd.Sqrt: (1e-9, 0.3, 1.0, 50.0),
    nd.Log1p: (-0.999, -1e-6, 0.3, 50.0),
    nd.Acos: (-0.999, -0.2, 1e-6, 0.999),
    nd.Lgamma: (0.1, 1.5, 2.0, 40.0),
    nd.Digamma: (0.1, 1.5, 2.0, 40.0),
    nd.Abs: (-3.0, -1e-6, 1e-6, 3.0),
    nd.Sign: (-3.0, 1e-6, 3.0),
    nd.Floor: (-2.5, 0.5, 7.25),
}
# What torch itself takes as 0 at a point without a derivative, and what really is infinite there.
NO_SLOPE = {nd.StopGradient}


def value(expr: sp.Basic, x: Any, y: Any = 1, **options: Any) -> Any:
    places = {"x": x, "y": y}
    return evaluate(expr, lambda name, _: mp.mpmathify(places[name]), {N: 0}, options=options)


def slope(expr: sp.Expr, read: Read, x: Any, y: Any = 1, **options: Any) -> Any:
    return value(partials(expr).get(read, sp.S.Zero), x, y, **options)


def numerical(function: Callable[[Any], Any], x: Any) -> Any:
    """A central difference whose error is far below 50 digits."""
    step = mp.mpf(10) ** -80
    return (function(mp.mpf(x) + step) - function(mp.mpf(x) - step)) / (2 * step)


def holds(expr: sp.Expr, x: Any, y: Any = 1, **options: Any) -> bool:
    """Whether both partial derivatives are those of the value."""
    with mp.workdps(280):
        pairs = [
            (slope(expr, X, x, y, **options), numerical(lambda v: value(expr, v, y, **options), x)),
            (slope(expr, Y, x, y, **options), numerical(lambda v: value(expr, x, v, **options), y)),
        ]
        return all(abs(a - b) <= mp.mpf(10) ** -50 * max(abs(a), abs(b), 1) for a, b in pairs)


def test_every_function_of_one_argument_has_a_slope() -> None:
    """All of them, but the trigamma function: it is itself only a slope, and no spec can say it.

    What a backend adds stands for a step of its own, after all slopes are taken.
    """

    def below(cls: type) -> set[type]:
        found = {cls}.union(*map(below, cls.__subclasses__()))
        return {x for x in found if not x.__module__.startswith("lossgen.backends")}

    assert below(nd.Unary) - {nd.Unary} - SLOPES.keys() == {nd.Trigamma}


@pytest.mark.parametrize("node", [k for k in SLOPES if k not in NO_SLOPE], ids=lambda k: k.__name__)
def test_a_slope_is_the_derivative(node: type[nd.Unary]) -> None:
    for x in POINTS.get(node, ALL_REALS):
        assert holds(node(X), x), x


@pytest.mark.parametrize("node", [k for k in SLOPES if k not in NO_SLOPE], ids=lambda k: k.__name__)
def test_the_chain_rule_runs_through_it(node: type[nd.Unary]) -> None:
    for x in POINTS.get(node, ALL_REALS):
        assert holds(node(X * Y), x, 1.0)
        assert holds(node(X) * Y + Y**3 * X, x, 0.4)


@pytest.mark.parametrize("x", [12.0, 40.0, -40.0])
def test_the_slope_of_a_saturated_function_is_not_lost_in_float32(x: float) -> None:
    """`y * (1 - y)` and `1 - y**2` are 0 there, which is what autograd of torch gives."""
    import torch

    forms: dict[type[nd.Unary], Callable[[torch.Tensor], torch.Tensor]] = {
        nd.Sigmoid: lambda x: torch.sigmoid(x) * torch.sigmoid(-x),
        nd.Tanh: lambda x: 4 * torch.sigmoid(2 * x) * torch.sigmoid(-2 * x),
    }
    assert partials(nd.Sigmoid(X)) == {X: nd.Sigmoid(X) * nd.Sigmoid(-X)}
    assert partials(nd.Tanh(X)) == {X: 4 * nd.Sigmoid(2 * X) * nd.Sigmoid(-2 * X)}
    for node, form in forms.items():
        with mp.workdps(60):
            true = float(slope(node(X), X, x))
        assert form(torch.tensor(x)).item() == pytest.approx(true, rel=1e-6)


SMOOTH = {
    "product": X * Y * (X + 2),
    "quotient": X / (Y**2 + 1),
    "power of a read": X**3 + X**-2,
    "power with a fractional exponent": (X**2 + 1) ** sp.Rational(3, 2),
    "power of an option": (X**2 + 1) ** P,
    "read in the exponent": (Y**2 + 2) ** X,
    "named twice": nd.Exp(X) * nd.Exp(X + Y),
    "xlogy": nd.Xlogy(X**2 + 1, Y**2 + 1),
    "xlogy of itself": nd.Xlogy(X**2 + 1, X**2 + 1),
    "logaddexp": nd.LogAddExp(X * 3, Y - X),
    "hypot": nd.Hypot(X - Y, Y),
    "hypot of a constant": nd.Hypot(X * Y, 3),
    "hypot less one": nd.HypotM1(X * Y),
    "power of a hypot, less one": nd.HypotPowM1(X * Y, P),
    "log of one plus a square": nd.Log1pSquare(X * Y),
    "gauss": nd.Gauss(X * Y, HALF, ZERO),
    "gauss less one": nd.GaussM1(X - Y, ONE, nd.Remainder(X, Y)),
    "log of a sum": nd.LogSum(X**2, P**2),
    "log of a mixture": nd.LogMixture(X * Y, sp.Rational(1, 4)),
    "power less one": nd.Pow1pM1(X**2, P),
    "power less one, a read in the exponent": nd.Pow1pM1(X**2, Y),
    "relative entropy": nd.RelEntropy(X**2 + 1, Y**2 + 2),
    "logarithm of a ratio": nd.LogRatio(X**2 + 1, Y**2 + 2),
    "complement of an exponential": nd.Log1mExp(-(X**2) - Y**2),
    "inverse of sinh": nd.Asinh(X * Y),
    "complementary error function": nd.Erfc(X - Y),
    "its logarithm": nd.LogErfc(X * Y),
    "scaled": nd.Erfcx(X * Y),
    "another form": nd.Rewritten((X - Y) * (X + Y), X**2 - Y**2),
    "angle of a point": nd.Atan(X * Y / (Y**2 + 1)),
    "quotient without zeros": nd.Ratio(X**2, Y * X),
    "max, first": nd.Max(X, X - 1 - Y**2),
    "max, second": nd.Max(X - 1, X * 2 + 40),
    "max of an option": nd.Max(P, X + 40),
    "min": nd.Min(X + Y, X + 40),
    "clip inside": nd.Clip(X, -50, 50) * Y,
    "clip outside": nd.Clip(X + 100, 0, 50) * Y,
    "where": Where(Compare(">", X, -100), X * Y, X**2),
    "where, other side": Where(Compare(">", X, 100), X * Y, X**2 * Y),
    "where on an option": Where(Compare(">", P, 0), X * Y, X**2),
    "nested where": Where(Compare(">", X, -100), Where(Compare("<", Y, 90), X * Y, X), Y),
}


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize(("x", "y"), [(0.7, 1.3), (-2.5, 0.2), (5.0, -3.0)])
def test_a_body_is_differentiated_with_respect_to_each_read(name: str, x: float, y: float) -> None:
    for p in (0.5, 1.0, 2.0, 3.5):
        assert holds(SMOOTH[name], x, y, p=p)


# --- ties -----------------------------------------------------------------------------------


@pytest.mark.parametrize("node", [nd.Max, nd.Min])
@pytest.mark.parametrize("share", [0, sp.Rational(1, 2), 1, sp.Rational(1, 3)])
def test_a_tie_shares_the_gradient_as_its_node_says(node: type[nd.Max], share: Any) -> None:
    expr = node(X, Y, share)
    with mp.workdps(30):
        given = mp.mpf(sp.S(share).p) / sp.S(share).q
        assert slope(expr, X, 2, 2) == given
        assert abs(slope(expr, Y, 2, 2) - (1 - given)) < mp.mpf(10) ** -25
        bigger = node is nd.Max
        assert (slope(expr, X, 3, 2), slope(expr, Y, 3, 2)) == ((1, 0) if bigger else (0, 1))
        assert (slope(expr, X, 2, 3), slope(expr, Y, 2, 3)) == ((0, 1) if bigger else (1, 0))


def test_a_hinge_at_its_kink_is_as_its_tie_says() -> None:
    assert slope(nd.Max(X, 0, 0), X, 0) == 0
    assert slope(nd.Max(X, 0, 1), X, 0) == 1


@pytest.mark.parametrize(("x", "expected"), [(-2, 1), (3, 1), (0, 1), (-2.5, 0), (3.5, 0)])
def test_a_clip_has_slope_one_on_its_closed_interval(x: float, expected: int) -> None:
    assert slope(nd.Clip(X, -2, 3), X, x) == expected


def test_an_absolute_value_has_slope_zero_at_zero() -> None:
    assert slope(nd.Abs(X), X, 0) == 0


# --- singular points --------------------------------------------------------------------------


@pytest.mark.parametrize(("p", "expected"), [(1.0, 1), (1.5, 0), (3.0, 0), (0.5, 0)])
def test_the_slope_of_a_power_at_zero_is_finite(p: float, expected: int) -> None:
    assert slope(X**P, X, 0, p=p) == p * expected


@pytest.mark.parametrize("exponent", [1, 2, 3, sp.Rational(3, 2)])
def test_a_known_power_at_zero_is_no_quotient(exponent: Any) -> None:
    assert slope(X**exponent * Y, X, 0) == (1 if exponent == 1 else 0)


def test_xlogy_at_zero_has_the_slope_of_the_logarithm() -> None:
    with mp.workdps(40):
        assert slope(nd.Xlogy(X, Y), X, 0, 3) == mp.log(3)
        assert slope(nd.Xlogy(X, Y), Y, 0, 3) == 0


def test_xlogy_at_zero_and_zero_has_slope_zero() -> None:
    assert slope(nd.Xlogy(X, Y), X, 0, 0) == 0
    assert slope(nd.Xlogy(X, Y), Y, 0, 0) == 0


def test_a_length_has_slope_zero_at_the_zero_vector() -> None:
    assert value(nd.Ratio(X, Y), 0, 0) == 0
    assert value(nd.Ratio(X, Y), 3, 4) == 0.75


# --- what carries no gradient, or another's -----------------------------------------------------


def test_stop_gradient_stops_it() -> None:
    assert partials(nd.StopGradient(X)) == {}
    assert partials(nd.StopGradient(X) * X) == {X: nd.StopGradient(X)}


def test_straight_through_takes_the_other_expressions_gradient() -> None:
    expr = nd.StraightThrough(nd.Max(X, Y, 0), X**2)
    assert partials(expr) == {X: 2 * X}
    assert value(expr, 3, 5) == 5


def test_conditions_carry_none() -> None:
    assert partials(Where(Compare(">", X, Y), 1, 0)) == {}


def test_a_node_that_only_derivatives_use_has_none_of_its_own() -> None:
    for node in (nd.Trigamma(X), nd.PowerSlope(X, P)):
        with pytest.raises(NoDerivative):
            partials(node)


# --- a branch not taken must not reach the gradient -----------------------------------------------


def test_the_slope_of_a_branch_stays_under_its_condition() -> None:
    """An infinite slope times the 0 of a branch not taken would be NaN."""
    chosen = Where(Compare(">", X, 0), nd.Sqrt(X), 0)
    found = partials(chosen)[X]
    assert isinstance(found, Where)
    assert found.args[0] == Compare(">", X, 0)
    assert found.args[2] == 0


def test_two_sides_of_a_kink_are_one_choice() -> None:
    """Each side times a 0 of the other's would be NaN where the other overflows."""
    below = Compare("<=", X, P)
    found = partials(Y * Where(below, X**2, P * X))[X]
    assert found == Where(below, 2 * X * Y, P * Y)


def test_the_slope_of_a_quotient_squares_no_divisor() -> None:
    found = partials(nd.Ratio(X, Y))
    assert found == {X: nd.Ratio(1, Y), Y: -nd.Ratio(1, Y) * nd.Ratio(X, Y)}


def test_a_shared_condition_is_written_once() -> None:
    condition = Compare("!=", X, 5)
    expr = Where(condition, X * Y, 0) + Where(condition, X**2, X)
    found = partials(expr)[X]
    assert sum(isinstance(node, Where) for node in nd.walk(found)) == 1
    assert holds(expr, 2.0, 3.0)
