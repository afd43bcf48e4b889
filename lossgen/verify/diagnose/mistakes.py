"""What people write in place of each kind of node, the likely mistakes first.

In: a node, and the letters there are. Out: (words, what stands there instead).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import sympy as sp

from lossgen import nodes as nd
from lossgen.nodes import Letter, free_letters
from lossgen.verify.diagnose.parts import Edit, replaced, short


def node_edits(node: sp.Basic, letters: tuple[Letter, ...]) -> Iterator[Edit]:
    """What may stand in place of a node by mistake."""
    for kind in type(node).__mro__:
        if kind in _TABLE:
            yield from _TABLE[kind](node, letters)
            return


def _along(node: nd.Along, letters: tuple[Letter, ...]) -> Iterator[Edit]:
    body = short(node.body)
    at_itself = node.position == node.letter
    inner = nd.substitute(node.body, {node.letter: node.position})
    for letter in letters:
        if at_itself and letter != node.letter and letter in free_letters(node.body):
            yield (
                f"with {node.op} over {letter} instead of {node.letter}",
                nd.Along(node.op, node.body, letter, letter),
            )
    if node.op == "softmax":
        yield f"with a sigmoid of {body} instead of the softmax", nd.Sigmoid(inner)
        twice = nd.Along("softmax", node, node.letter, node.letter) if at_itself else node
        yield "with the softmax applied twice", twice
        yield f"without the softmax of {body}", inner
    else:
        yield "with a log of sigmoid instead of the log-softmax", nd.LogSigmoid(inner)
        once = nd.Along("softmax", node.body, node.letter, node.letter)
        yield "with the softmax applied twice", nd.Along(node.op, once, node.letter, node.position)
        yield (
            "with a softmax in place of the log-softmax",
            nd.Along("softmax", node.body, node.letter, node.position),
        )
        twice = nd.Along("log_softmax", node, node.letter, node.letter) if at_itself else node
        yield "with the log-softmax applied twice", twice
        yield f"without the log-softmax of {body}", inner


def _sigmoid(node: nd.Sigmoid, letters: tuple[Letter, ...]) -> Iterator[Edit]:
    yield f"without the sigmoid of {short(node.arg)}", node.arg
    yield "with the sigmoid applied twice", nd.Sigmoid(node)
    yield (
        f"with sigmoid({short(-node.arg)}) in place of sigmoid({short(node.arg)})",
        nd.Sigmoid(-node.arg),
    )


def _log_sigmoid(node: nd.LogSigmoid, letters: tuple[Letter, ...]) -> Iterator[Edit]:
    yield "with the sigmoid applied twice", nd.LogSigmoid(nd.Sigmoid(node.arg))
    yield f"with log({short(node.arg)}): the sigmoid is missing", nd.Log(node.arg)
    yield (
        f"with log sigmoid({short(-node.arg)}) in place of log sigmoid({short(node.arg)})",
        (nd.LogSigmoid(-node.arg)),
    )


def _log(node: nd.Log, letters: tuple[Letter, ...]) -> Iterator[Edit]:
    yield "with the logarithm to base 2", node / nd.Log(sp.Integer(2))
    yield "with the logarithm to base 10", node / nd.Log(sp.Integer(10))
    yield f"with log(1 + {short(node.arg)}) in place of log({short(node.arg)})", nd.Log1p(node.arg)
    yield f"without the logarithm of {short(node.arg)}", node.arg
    yield f"with log({short(node.arg)} squared)", 2 * node


def _exp(node: nd.Exp, letters: tuple[Letter, ...]) -> Iterator[Edit]:
    yield f"without the exponential of {short(node.arg)}", node.arg
    yield f"with ({short(node.arg)})**2 in place of exp({short(node.arg)})", node.arg**2
    yield f"with exp(-({short(node.arg)})) in place of exp({short(node.arg)})", nd.Exp(-node.arg)
    yield (
        f"with exp(2*({short(node.arg)})) in place of exp({short(node.arg)})",
        nd.Exp(2 * node.arg),
    )
    yield f"with exp({short(node.arg)}/2) in place of exp({short(node.arg)})", nd.Exp(node.arg / 2)


def _unwrapped(node: nd.Unary, letters: tuple[Letter, ...]) -> Iterator[Edit]:
    name = type(node).__name__.lower()
    yield f"without the {name} of {short(node.arg)}", node.arg
    if isinstance(node, nd.Abs):
        yield f"with ({short(node.arg)})**2 in place of |{short(node.arg)}|", node.arg**2
    if isinstance(node, nd.StopGradient):
        yield f"with a gradient through {short(node.arg)}", node.arg


def _max(node: nd.Max, letters: tuple[Letter, ...]) -> Iterator[Edit]:
    a, b, share = node.args
    name = "min" if isinstance(node, nd.Min) else "max"
    yield f"without the {name}: {short(b)} alone", b
    yield f"without the {name}: {short(a)} alone", a
    other = nd.Max if isinstance(node, nd.Min) else nd.Min
    yield f"with {'max' if name == 'min' else 'min'} in place of {name}", other(a, b, share)
    for x, y in ((a, b), (b, a)):
        if isinstance(x, sp.Add):
            for part in nd.walk(x):
                if isinstance(part, nd.Param):
                    yield (
                        f"with {part} missing inside the {name}",
                        node.func(replaced(x, part, sp.S.Zero), y, share),
                    )
    if sp.S.Zero in (a, b):
        inner = b if a == 0 else a
        yield (
            f"with {name}(0, {short(-inner)}): the sign inside is turned",
            node.func(0, -inner, share),
        )
        yield f"with the {name} squared", node**2


def _clip(node: nd.Clip, letters: tuple[Letter, ...]) -> Iterator[Edit]:
    yield f"without the clamp of {short(node.args[0])}", node.args[0]


def _where(node: nd.Where, letters: tuple[Letter, ...]) -> Iterator[Edit]:
    condition, yes, no = node.args
    if isinstance(condition, nd.Given):
        if isinstance(yes, nd.Read):
            yield f"without {yes.name}", no
            yield f"with {yes.name} squared", nd.Where(condition, yes**2, no)
            yield f"with 1/{yes.name}", nd.Where(condition, 1 / yes, no)
        return
    yield f"with the branches of '{short(condition)}' exchanged", nd.Where(condition, no, yes)
    yield f"with {short(no)} whatever {short(condition)}", no
    yield f"with {short(yes)} whatever {short(condition)}", yes
    if isinstance(condition, nd.Compare):
        for change in (nd.Abs(condition.left), condition.left):
            if isinstance(condition.left, nd.Abs):
                change = condition.left.arg
            changed = nd.Where(nd.Compare(condition.op, change, condition.right), yes, no)
            yield f"with {short(change)} compared in place of {short(condition.left)}", changed
        if isinstance(condition.right, nd.Param):
            fixed = nd.Compare(condition.op, condition.left, sp.S.One)
            yield f"with the threshold 1 in place of {condition.right}", nd.Where(fixed, yes, no)


def _reduce(node: nd.Reduce, letters: tuple[Letter, ...]) -> Iterator[Edit]:
    op, body, where, bound = node.op, node.body, node.where, node.bound
    over = ", ".join(map(str, bound))
    if op in ("sum", "mean"):
        other = "mean" if op == "sum" else "sum"
        yield (
            f"with the {other} over {over} in place of the {op}",
            nd.Reduce(other, body, where, node.empty, bound),
        )
    if where is not sp.true:
        yield (
            f"with the mask '{short(where)}' left out of the {op} over {over}",
            nd.Reduce(op, body, sp.true, sp.nan, bound),
        )
        if op == "mean":
            all_of = sp.Mul(*map(nd.Size, bound))
            yield (
                "with what the mask leaves out counted in the denominator",
                (nd.Reduce("sum", body, where, sp.nan, bound) / all_of),
            )
    free = [x for x in letters if x in free_letters(body) and x not in bound]
    for letter in free:
        yield (
            f"with the {op} over {over}, {letter} together",
            nd.Reduce(op, body, where, node.empty, (*bound, letter)),
        )
        if len(bound) == 1:
            yield (
                f"with the {op} over {letter} in place of {over}",
                nd.Reduce(op, body, where, node.empty, (letter,)),
            )
    for letter in bound if len(bound) > 1 else ():
        left = tuple(x for x in bound if x != letter)
        yield (
            f"with the {op} over {', '.join(map(str, left))} only",
            nd.Reduce(op, body, where, node.empty, left),
        )
    if op == "norm":
        yield "with the squared norm", node**2
        yield "with the norm missing", sp.S.One
    if op in ("amax", "amin"):
        other = "amin" if op == "amax" else "amax"
        yield (
            f"with the {other[1:]} in place of the {op[1:]}",
            nd.Reduce(other, body, where, sp.nan, bound),
        )
        yield (
            f"with the mean in place of the {op[1:]}",
            nd.Reduce("mean", body, where, sp.nan, bound),
        )
        yield f"with the sum in place of the {op[1:]}", nd.Reduce("sum", body, where, sp.nan, bound)
    if isinstance(body, sp.Add) and op == "sum":
        for part in body.args:
            if not isinstance(part, sp.Number):
                yield (
                    f"with {short(part)} squared",
                    nd.Reduce(op, sp.Add(body, -part, part**2), where, node.empty, bound),
                )
        squared = sp.Add(*(x**2 for x in body.args))
        yield "with squares in the denominator", nd.Reduce(op, squared, where, node.empty, bound)


def _power(node: sp.Pow, letters: tuple[Letter, ...]) -> Iterator[Edit]:
    base, exponent = node.args
    shown = short(base)
    if exponent == -1:
        if isinstance(base, sp.Add):
            for term in base.args:
                yield f"without {short(term)} in the denominator", 1 / sp.Add(base, -term)
        yield f"with the square of {shown} as denominator", 1 / base**2
        yield f"with {shown} as a factor in place of a denominator", base
        yield f"without the denominator {shown}", sp.S.One
        return
    if exponent == 2:
        yield f"without the square of {shown}", base
        yield f"with |{shown}| in place of its square", nd.Abs(base)
    for words, other in (("1/", 1 / exponent), ("2*", 2 * exponent), ("-", -exponent)):
        yield f"with the exponent {words}({short(exponent)})", base**other
    yield (
        f"with the exponent {short(exponent + 1)} in place of {short(exponent)}",
        base ** (exponent + 1),
    )
    yield (
        f"with the exponent {short(exponent - 1)} in place of {short(exponent)}",
        base ** (exponent - 1),
    )
    if isinstance(base, sp.Add) and sp.S.One in base.args:
        yield f"with {short(1 - base)} in place of {shown}", (1 - base) ** exponent
    yield f"without the factor {short(node)}", sp.S.One


def _add(node: sp.Add, letters: tuple[Letter, ...]) -> Iterator[Edit]:
    for term in node.args:
        rest = sp.Add(node, -term)
        yield f"without the term {short(term)}", rest
        yield f"with the sign of {short(term)} turned", sp.Add(rest, -term)
    for p in sorted({x for x in node.atoms(nd.Param) if x.is_real}, key=str):
        yield f"with 1 - {p} in place of {p} in {short(node)}", replaced(node, p, 1 - p)
        yield f"with {p} missing from {short(node)}", replaced(node, p, sp.S.Zero)
    for term in node.args:
        for factor in term.args if isinstance(term, sp.Mul) else ():
            if nd.is_scalar(factor) and not isinstance(factor, sp.Number):
                yield f"with {short(factor)} in place of {short(node)}", factor
    for term in node.args:
        rest = sp.Add(node, -term)
        if not isinstance(term, sp.Number):
            if 2 * term.as_coeff_Mul()[0] != 1:  # else a factor is missing, and is called so
                yield f"with {short(term)} doubled", sp.Add(rest, 2 * term)
            if term.as_coeff_Mul()[0] != 2:
                yield f"with {short(term)} halved", sp.Add(rest, term / 2)


def _mul(node: sp.Mul, letters: tuple[Letter, ...]) -> Iterator[Edit]:
    for k, factor in enumerate(node.args):
        rest = sp.Mul(*(x for j, x in enumerate(node.args) if j != k))
        if factor == -1:
            yield f"with the sign of {short(node)} turned", rest
        elif isinstance(factor, sp.Number):
            yield f"without the factor {short(factor)} of {short(rest)}", rest
        else:
            yield f"without the factor {short(factor)}", rest
            if not isinstance(factor, sp.Pow):
                yield f"with the factor {short(factor)} squared", rest * factor**2


def _xlogy(node: nd.Xlogy, letters: tuple[Letter, ...]) -> Iterator[Edit]:
    x, y = node.args
    yield f"without the term {short(node)}", sp.S.Zero
    yield f"with {short(y)} log {short(x)} in place of {short(x)} log {short(y)}", nd.Xlogy(y, x)


def _compare(node: nd.Compare, letters: tuple[Letter, ...]) -> Iterator[Edit]:
    if not nd.is_static(node) and node.op in ("==", "!="):
        return
    if not nd.is_static(node):
        yield (
            f"with '{short(node)}' the other way round",
            nd.Compare(nd.MIRROR[node.op], node.left, node.right),
        )


_TABLE: Mapping[type[Any], Callable[[Any, tuple[Letter, ...]], Iterator[Edit]]] = {
    nd.Along: _along,
    nd.Sigmoid: _sigmoid,
    nd.LogSigmoid: _log_sigmoid,
    nd.Log: _log,
    nd.Exp: _exp,
    nd.Max: _max,
    nd.Clip: _clip,
    nd.Where: _where,
    nd.Reduce: _reduce,
    nd.Xlogy: _xlogy,
    nd.Compare: _compare,
    nd.Unary: _unwrapped,
    sp.Pow: _power,
    sp.Add: _add,
    sp.Mul: _mul,
}
