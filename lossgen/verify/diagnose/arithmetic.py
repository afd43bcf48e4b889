"""What people write in place of a reduction, a power, a sum or a product.

In: a node, and the letters there are. Out: (words, what stands there instead), the likely mistakes
first.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import sympy as sp

from lossgen import nodes as nd
from lossgen.nodes import Letter, free_letters
from lossgen.verify.diagnose.parts import Edit, replaced, short


def reduce(node: nd.Reduce, letters: tuple[Letter, ...]) -> Iterator[Edit]:
    """A reduction: a mean for a sum, other axes, the mask left out, squares."""
    op, body, where, bound = node.op, node.body, node.where, node.bound
    over = ", ".join(map(str, bound))
    if op in ("sum", "mean"):
        other = "mean" if op == "sum" else "sum"
        yield (
            f"with the {other} over {over} in place of the {op}",
            nd.Reduce(other, body, where, node.empty, bound),
        )
    if op == "mean" and where is sp.true:
        others = sp.Mul(*map(nd.Size, bound)) - 1
        yield (
            f"with the sum over {over} divided by one less than there are, in place of its mean",
            nd.Reduce("sum", body, where, node.empty, bound) / others,
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
    if len(free) > 1:
        yield (
            f"with the {op} over {over}, {', '.join(map(str, free))} together",
            nd.Reduce(op, body, where, node.empty, (*bound, *free)),
        )
    for letter in bound if len(bound) > 1 else ():
        left = tuple(x for x in bound if x != letter)
        yield (
            f"with the {op} over {', '.join(map(str, left))} only",
            nd.Reduce(op, body, where, node.empty, left),
        )
    if op == "norm":
        yield f"with {short(node)} squared", node**2
        yield f"without {short(node)}", sp.S.One
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


def part(node: nd.Let, letters: tuple[Letter, ...]) -> Iterator[Edit]:
    """A named reduction, such as the length of a row: over another axis, and read along its own."""
    whole = node.body
    if not isinstance(whole, nd.Reduce) or len(whole.bound) != 1:
        return
    (bound,) = whole.bound
    for k, letter in enumerate(node.params):
        if letter not in free_letters(whole.body):
            continue
        params = [bound if x == letter else x for x in node.params]
        args = [bound if j == k else x for j, x in enumerate(node.at)]
        other = nd.Reduce(whole.op, whole.body, whole.where, whole.empty, (letter,))
        yield (
            f"with the {whole.op} over {letter} in place of {bound} in {short(whole)}",
            nd.Let(node.name, params, other, args),
        )


def power(node: sp.Pow, letters: tuple[Letter, ...]) -> Iterator[Edit]:
    """A power or quotient: another exponent, a part of the denominator missing."""
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
    for other in (1 / exponent, 2 * exponent, -exponent, exponent + 1, exponent - 1):
        yield f"with the exponent {short(other)} in place of {short(exponent)}", base**other
    if (isinstance(base, sp.Add) and sp.S.One in base.args) or isinstance(exponent, nd.Param):
        yield f"with {short(1 - base)} in place of {shown}", (1 - base) ** exponent
    yield f"without the factor {short(node)}", sp.S.One


def add(node: sp.Add, letters: tuple[Letter, ...]) -> Iterator[Edit]:
    """A sum: a term missing, doubled, of the other sign."""
    for term in node.args:
        rest = sp.Add(node, -term)
        yield f"without the term {short(term)}", rest
        yield f"with the sign of {short(term)} turned", sp.Add(rest, -term)
    if sp.S.One in node.args and any(x.as_coeff_Mul()[0] == -1 for x in node.args):
        yield f"with {short(1 - node)} in place of {short(node)}", 1 - node
    for p in sorted({x for x in node.atoms(nd.Param) if x.is_real}, key=str):
        yield f"with 1 - {p} in place of {p} in {short(node)}", replaced(node, p, 1 - p)
        yield f"with {p} missing from {short(node)}", replaced(node, p, sp.S.Zero)
    for term in node.args:
        for factor in term.args if isinstance(term, sp.Mul) else ():
            if nd.is_scalar(factor) and not isinstance(factor, sp.Number):
                yield f"with {short(factor)} in place of {short(node)}", factor
    yield from _moved(node)
    for term in node.args:
        rest = sp.Add(node, -term)
        if not isinstance(term, sp.Number):
            if 2 * term.as_coeff_Mul()[0] != 1:  # else a factor is missing, and is called so
                yield f"with {short(term)} doubled", sp.Add(rest, 2 * term)
            if term.as_coeff_Mul()[0] != 2:
                yield f"with {short(term)} halved", sp.Add(rest, term / 2)


def _moved(node: sp.Add) -> Iterator[Edit]:
    """A weight that may be given, on another term than its own."""
    for term, other in itertools.permutations(node.args, 2):
        whole = term.body if isinstance(term, nd.Let) else term
        for factor in sp.Mul.make_args(whole):
            if isinstance(factor, nd.Where) and isinstance(factor.args[0], nd.Given):
                shown = f"{short(factor.args[1])} on {short(other)} in place of {short(term)}"
                yield f"with {shown}", sp.Add(node, -term, -other, whole / factor, other * factor)


def mul(node: sp.Mul, letters: tuple[Letter, ...]) -> Iterator[Edit]:
    """A product: a factor missing or squared."""
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
