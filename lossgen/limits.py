"""The limit of a formula in one of its parameters, where the formula itself is 0/0.

In: an expression over our nodes. Out: its limit, over our nodes again. SymPy takes the limit; what
does not depend on the parameter stands aside as a positive symbol meanwhile.

    limit_at((x**a - 1)/a, a, 0)   →   log(x)
"""

from __future__ import annotations

import sympy as sp
from sympy.core.parameters import distribute

from lossgen import nodes as nd
from lossgen.nodes import Let, Param, substitute, walk

_PLAIN: dict[type[sp.Basic], type[sp.Basic]] = {
    nd.Exp: sp.exp,
    nd.Log: sp.log,
    nd.Sqrt: sp.sqrt,
    nd.Abs: sp.Abs,
    nd.Tanh: sp.tanh,
}
_OURS = {sp.exp: nd.Exp, sp.log: nd.Log, sp.Abs: nd.Abs, sp.tanh: nd.Tanh}


def limit_at(expr: sp.Expr, parameter: Param, point: sp.Expr) -> sp.Expr:
    """The limit of ``expr`` as ``parameter`` approaches ``point`` (from above, if finite).

    Raises:
        TypeError: SymPy finds no finite limit, or the expression holds what it cannot read.
    """
    aside: dict[sp.Expr, sp.Symbol] = {}
    # A positive step tells SymPy the side from which the point is approached.
    step = sp.Dummy("step", positive=True)
    near = {sp.oo: 1 / step, -sp.oo: -1 / step}.get(point, point + step)
    with distribute(True):
        result = sp.simplify(sp.limit(_plain(expr, parameter, near, aside), step, 0, "+"))
    if result.has(sp.nan, sp.zoo, sp.Limit, sp.AccumBounds) or result.is_infinite:
        raise TypeError(f"limits(): no finite limit at {parameter} = {point}")
    back = {symbol: original for original, symbol in aside.items()}
    return _ours(result).xreplace(back)


def _plain(
    expr: sp.Expr, parameter: Param, variable: sp.Expr, aside: dict[sp.Expr, sp.Symbol]
) -> sp.Expr:
    if expr == parameter:
        return variable
    if expr.is_number:
        return expr
    if parameter not in set(walk(expr)):
        # Losses take limits over squared or absolute errors; a positive symbol stands for them.
        return aside.setdefault(expr, sp.Dummy(f"part{len(aside)}", positive=True))
    if isinstance(expr, Let):
        inner = substitute(expr.body, dict(zip(expr.params, expr.at, strict=True)))
        return _plain(inner, parameter, variable, aside)
    children = [_plain(a, parameter, variable, aside) for a in expr.args]
    if type(expr) in _PLAIN:
        return _PLAIN[type(expr)](*children)
    if isinstance(expr, (sp.Add, sp.Mul, sp.Pow)):
        return expr.func(*children)
    raise TypeError(f"limits(): {type(expr).__name__} is not understood; name that part first")


def _ours(expr: sp.Expr) -> sp.Expr:
    if not expr.args:
        return expr
    children = [_ours(a) for a in expr.args]
    if type(expr) in _OURS:
        return _OURS[type(expr)](*children)
    if isinstance(expr, sp.Pow) and expr.exp == sp.S.Half:
        return nd.Sqrt(children[0])
    return expr.func(*children)
