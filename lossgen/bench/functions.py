"""How many times a loss evaluates exp, log and their like.

In: the statements of one call. Out: counts by torch's name of the function. A function of one
argument is counted once however often the programs write it, and its relatives share it: sigmoid,
softplus and log-sigmoid of x and of -x are one ``exp(-|x|)``, the latter two one ``log1p`` more.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import sympy as sp

from lossgen import nodes as nd
from lossgen.bench.resolved import Resolved
from lossgen.nodes import TRUE, Letter, free_letters, is_scalar, walk
from lossgen.program import Statement

# A function: what is evaluated for it, and a word for the argument that relatives share.
_PARTS: Mapping[type[sp.Basic], tuple[tuple[str, str], ...]] = {
    nd.Exp: (("exp", "exp"),),
    nd.Sigmoid: (("exp", "gate"),),
    nd.LogSigmoid: (("exp", "gate"), ("log1p", "gate")),
    nd.Softplus: (("exp", "gate"), ("log1p", "gate")),
    nd.Tanh: (("exp", "twice"),),
    nd.LogCosh: (("exp", "twice"), ("log1p", "twice")),
    nd.Log: (("log", "log"),),
    nd.Xlogy: (("log", "second"),),
    nd.RelEntropy: (("log", "both"),),
    nd.LogRatio: (("log", "both"),),
    nd.Log1p: (("log1p", "log1p"),),
    nd.Expm1: (("expm1", "expm1"),),
    nd.Log1mExp: (("exp", "exp"), ("log1p", "1mexp")),
    nd.LogAddExp: (("exp", "both"), ("log1p", "both")),
    nd.Erf: (("erf", "erf"),),
    nd.Erfc: (("erf", "erf"),),
    nd.Erfcx: (("exp", "square"), ("erf", "erf")),
    nd.LogErfc: (("erf", "erf"), ("log", "erf")),
    nd.Lgamma: (("lgamma", "lgamma"),),
    nd.Digamma: (("digamma", "digamma"),),
    nd.Trigamma: (("digamma", "trigamma"),),  # torch's own takes far longer than it must
    nd.Sin: (("sin", "sin"),),
    nd.Cos: (("cos", "cos"),),
    nd.Acos: (("acos", "acos"),),
    nd.Atan: (("atan", "atan"),),
    nd.Asinh: (("log", "asinh"),),
    nd.Pow1pM1: (("pow", "pow1p"),),
    nd.LogSum: (("log", "log_sum"),),
    nd.LogMixture: (("expm1", "mixture"), ("log1p", "mixture")),
    nd.SettledLogMixture: (("expm1", "mixture"), ("log1p", "mixture")),
    nd.Log1pSquare: (("log1p", "log1p_square"),),
    nd.HypotPowM1: (("pow", "hypot"),),
    nd.HypotPowSlope: (("pow", "hypot_slope"),),
    nd.Gauss: (("exp", "gauss"),),
    nd.GaussM1: (("expm1", "gauss"),),
}
_CHEAP = frozenset((-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0))
_Key = tuple[Any, ...]


def evaluations(call: Resolved, sizes: Mapping[Letter, int]) -> dict[str, int]:
    """How many times each function is evaluated in one forward and backward."""
    counted: dict[_Key, int] = {}
    for x in call.statements:
        for key, letters in (*_of_rows(x), *_of_elements(x, call.options)):
            count = math.prod(sizes[y] for y in letters)
            counted[key] = max(counted.get(key, 0), count)
    found: Counter[str] = Counter()
    for key, count in counted.items():
        found[key[0]] += count
    return dict(sorted(found.items()))


def _of_rows(x: Statement) -> Iterator[tuple[_Key, frozenset[Letter]]]:
    """One exp an element, and one log a row where the result is a logarithm."""
    if x.op not in ("softmax", "log_softmax", "logsumexp", "nll"):
        return
    row = ("row", x.body, tuple(x.bound), x.where)
    outer = frozenset(x.free) - {*x.bound}
    shared = row if x.where is TRUE else ("masked", x.body, x.where)
    yield ("exp", *shared), outer | {*x.bound}
    if x.op != "softmax":
        yield ("log", *row), outer


def _of_elements(
    x: Statement, options: Mapping[sp.Symbol, sp.Basic]
) -> Iterator[tuple[_Key, frozenset[Letter]]]:
    for node in (n for e in x.expressions() for n in walk(e)):
        if is_scalar(node):
            continue
        letters = free_letters(node)
        if isinstance(node, (sp.Pow, nd.PowerSlope)):
            base, exponent = node.args[0], node.args[1].xreplace(dict(options))
            less = isinstance(node, nd.PowerSlope)
            if exponent.is_number and float(exponent) - less in _CHEAP:
                continue
            if exponent.is_number:  # x**p and x**(p - 1) are one power
                exponent = sp.Float(float(exponent) % 1)
            yield ("pow", base, exponent), letters
            continue
        for function, sharing in _PARTS.get(type(node), ()):
            yield (function, *_argument(node, sharing, x)), letters


def _argument(node: sp.Basic, sharing: str, x: Statement) -> _Key:
    """What tells one evaluation from another: the argument, its sign left out where it may be."""
    match sharing:
        case "gate":
            return "gate", _unsigned(node.args[0])
        case "twice":
            return "gate", _unsigned(2 * node.args[0])
        case "second":
            return "log", node.args[1]
        case "both":
            return "both", frozenset(node.args)
        case "exp" if (row := _softmax_of(node.args[0], x)) is not None:
            return row
    return sharing, node.args[0]


def _softmax_of(argument: sp.Basic, x: Statement) -> _Key | None:
    """``exp(where(i != j, sim - lse, -inf))`` is one of the scores, whatever it is divided by."""
    if not isinstance(argument, nd.Where) or argument.args[2] != -sp.oo:
        return None
    full = frozenset((*x.free, *x.bound))
    terms = [t for t in sp.Add.make_args(argument.args[1]) if free_letters(t) >= full]
    return ("masked", sp.Add(*terms), argument.args[0]) if terms else None


def _unsigned(argument: sp.Basic) -> sp.Basic:
    opposite = -argument
    return min((argument, opposite), key=lambda e: (len(str(e)), str(e)))
