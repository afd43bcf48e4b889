"""What runs over letters: reductions, softmax along a letter, an expression read elsewhere.

    Sum(prob[n, c] * target[n, c], c)          over c, for each n
    Mean(item, t, where=mask[n, t], empty=0)   where the mask holds; 0 where it holds nowhere

A word used wrongly raises ``TypeError``, which reading a spec turns into a fault with its line.
"""

from __future__ import annotations

import sympy as sp

from lossgen import nodes
from lossgen.language.letters import Expr, FollowsError
from lossgen.nodes import TRUE, Letter

_WORDS = {x.lower(): x for x in ("Sum", "Mean", "Amax", "Amin", "Any", "Count")}


def _reduce(op: str, body: Expr, letters: tuple[Letter, ...], where: Expr = TRUE) -> Expr:
    _check_letters(op, letters)
    return nodes.Reduce(op, body, where, sp.nan, letters)


def _check_letters(op: str, letters: tuple[Letter, ...]) -> None:
    op = _WORDS.get(op, op)
    if not letters:
        raise TypeError(f"{op} needs the letters it runs over, as in {op}(body, s)")
    for position, letter in enumerate(letters):
        if isinstance(letter, nodes.Unknown):
            raise FollowsError(f"'{letter.name}' is not defined")
        if not isinstance(letter, Letter):
            raise TypeError(f"{op} runs over letters, and '{letter}' is none")
        if letter in letters[:position]:
            raise TypeError(f"{op} runs over '{letter}' twice")


def Sum(body: Expr, *letters: Letter, where: Expr = TRUE) -> Expr:
    return _reduce("sum", body, letters, where)


def Mean(body: Expr, *letters: Letter, where: Expr = TRUE, empty: Expr = sp.nan) -> Expr:
    """The mean over the letters (where a condition holds); over nothing it is ``empty``."""
    _check_letters("mean", letters)
    empty = sp.sympify(empty)
    if empty is not sp.nan and sp.sympify(where) is TRUE:
        raise TypeError("empty= is the mean where a mask holds nowhere; give the mask as where=")
    if not nodes.is_scalar(empty):
        raise TypeError("empty= is a number or an option, not an element of a tensor")
    return nodes.Reduce("mean", body, where, empty, letters)


def Amax(body: Expr, *letters: Letter, where: Expr = TRUE) -> Expr:
    """The largest; the gradient is shared evenly at a tie, as ``torch.amax``."""
    return _reduce("amax", body, letters, where)


def Amin(body: Expr, *letters: Letter, where: Expr = TRUE) -> Expr:
    return _reduce("amin", body, letters, where)


def Any(condition: Expr, *letters: Letter, where: Expr = TRUE) -> Expr:
    return _reduce("any", nodes.And(condition, where), letters)


def All(condition: Expr, *letters: Letter, where: Expr = TRUE) -> Expr:
    return nodes.Not(_reduce("any", nodes.And(nodes.Not(condition), where), letters))


def Count(condition: Expr, *letters: Letter, where: Expr = TRUE) -> Expr:
    """How many positions satisfy a condition."""
    return _reduce("count", nodes.And(condition, where), letters)


def logsumexp(body: Expr, *letters: Letter, where: Expr = TRUE) -> Expr:
    return _reduce("logsumexp", body, letters, where)


def norm(body: Expr, *letters: Letter, where: Expr = TRUE) -> Expr:
    """Euclidean norm; slope 0 at the zero vector."""
    return _reduce("norm", body, letters, where)


def softmax(body: Expr, letter: Letter) -> Expr:
    return _along("softmax", body, letter)


def log_softmax(body: Expr, letter: Letter) -> Expr:
    return _along("log_softmax", body, letter)


def _along(op: str, body: Expr, letter: Letter) -> Expr:
    _check_letters(op, (letter,))
    body = sp.sympify(body)
    if letter not in nodes.free_letters(body):
        raise TypeError(f"{op}: the expression does not depend on '{letter}'; {_have(body)}")
    return nodes.Along(op, body, letter, letter)


def at(expr: Expr, **positions: Expr) -> Expr:
    """The same expression read elsewhere: ``at(prob, c=target[n])``, ``at(sim, i=j, j=i)``."""
    expr = sp.sympify(expr)
    letters = {letter.name: letter for letter in nodes.free_letters(expr)}
    for name in positions:
        if name not in letters:
            raise TypeError(f"at(): the expression does not depend on '{name}'; {_have(expr)}")
    return nodes.substitute(expr, {letters[k]: sp.sympify(v) for k, v in positions.items()})


def _have(expr: sp.Basic) -> str:
    return f"its letters: {', '.join(sorted(map(str, nodes.free_letters(expr)))) or 'none'}"
