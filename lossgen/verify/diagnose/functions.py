"""What people write in place of a function, a choice or a comparison.

In: a node, and the letters there are. Out: (words, what stands there instead), the likely mistakes
first.
"""

from __future__ import annotations

from collections.abc import Iterator

import sympy as sp

from lossgen import nodes as nd
from lossgen.nodes import Letter, free_letters
from lossgen.stabilize.matching import minus
from lossgen.verify.diagnose.parts import Edit, replaced, short


def along(node: nd.Along, letters: tuple[Letter, ...]) -> Iterator[Edit]:
    """Softmax and log-softmax: another axis, a sigmoid, twice, missing."""
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


def sigmoid(node: nd.Sigmoid, letters: tuple[Letter, ...]) -> Iterator[Edit]:
    """A sigmoid: missing, twice, of the other sign."""
    yield f"without the sigmoid of {short(node.arg)}", node.arg
    yield "with the sigmoid applied twice", nd.Sigmoid(node)
    yield (
        f"with {short(node)} rounded to 0 or 1, which has no slope",
        nd.Where(nd.Compare(">", node.arg, sp.S.Zero), sp.S.One, sp.S.Zero),
    )
    yield (
        f"with sigmoid({short(-node.arg)}) in place of sigmoid({short(node.arg)})",
        nd.Sigmoid(-node.arg),
    )


def log_sigmoid(node: nd.LogSigmoid, letters: tuple[Letter, ...]) -> Iterator[Edit]:
    """A log-sigmoid: the sigmoid twice or missing, of the other sign."""
    yield "with the sigmoid applied twice", nd.LogSigmoid(nd.Sigmoid(node.arg))
    yield f"with log({short(node.arg)}): the sigmoid is missing", nd.Log(node.arg)
    yield (
        f"with log sigmoid({short(-node.arg)}) in place of log sigmoid({short(node.arg)})",
        (nd.LogSigmoid(-node.arg)),
    )


def softplus(node: nd.Softplus, letters: tuple[Letter, ...]) -> Iterator[Edit]:
    """A softplus, as what it is of a sigmoid: minus the logarithm at the other sign."""
    for words, other in log_sigmoid(nd.LogSigmoid(minus(node.arg)), letters):
        yield words, -other


def log(node: nd.Log, letters: tuple[Letter, ...]) -> Iterator[Edit]:
    """A logarithm: another base, of one more, missing."""
    yield "with the logarithm to base 2", node / nd.Log(sp.Integer(2))
    yield "with the logarithm to base 10", node / nd.Log(sp.Integer(10))
    yield f"with log(1 + {short(node.arg)}) in place of log({short(node.arg)})", nd.Log1p(node.arg)
    yield f"without the logarithm of {short(node.arg)}", node.arg
    yield f"with log({short(node.arg)} squared)", 2 * node


def exp(node: nd.Exp, letters: tuple[Letter, ...]) -> Iterator[Edit]:
    """An exponential: missing, a square, of the other sign."""
    yield f"without the exponential of {short(node.arg)}", node.arg
    yield f"with ({short(node.arg)})**2 in place of exp({short(node.arg)})", node.arg**2
    yield f"with exp(-({short(node.arg)})) in place of exp({short(node.arg)})", nd.Exp(-node.arg)
    yield (
        f"with exp(2*({short(node.arg)})) in place of exp({short(node.arg)})",
        nd.Exp(2 * node.arg),
    )
    yield f"with exp({short(node.arg)}/2) in place of exp({short(node.arg)})", nd.Exp(node.arg / 2)


def unwrapped(node: nd.Unary, letters: tuple[Letter, ...]) -> Iterator[Edit]:
    """Any function of one argument: missing."""
    name = type(node).__name__.lower()
    yield f"without the {name} of {short(node.arg)}", node.arg
    if isinstance(node.arg, sp.Add) and not isinstance(node, nd.StopGradient):
        for term in node.arg.args:
            if isinstance(term.as_coeff_Mul()[1], nd.Param):
                rest, shown = node.func(node.arg - term), short(term)
                for words, changed in (
                    (f"{shown} added to", rest + term),
                    (f"{shown} taken from", rest - term),
                ):
                    yield f"with {words} {short(rest)} in place of {short(node)}", changed
    if isinstance(node, nd.Abs):
        yield from _hard(node.arg, f"|{short(node.arg)}|")
        yield f"with ({short(node.arg)})**2 in place of |{short(node.arg)}|", node.arg**2
    if isinstance(node, nd.StopGradient):
        yield f"with a gradient through {short(node.arg)}", node.arg


def extreme(node: nd.Max, letters: tuple[Letter, ...]) -> Iterator[Edit]:
    """A maximum or minimum: one side alone, the other of the two, the sign inside."""
    a, b, share = node.args
    name = "min" if isinstance(node, nd.Min) else "max"
    if sp.S.Zero not in (a, b) and not (a.is_number or b.is_number):
        product = a * b if name == "min" else a + b - a * b
        yield f"with {short(product)} in place of the {name}{_HARD}", product
    if name == "max" and any(isinstance(x, nd.Param) for x in (a, b)):
        yield f"with {short(a + b)} in place of the max", a + b
    yield f"without the {name}: {short(b)} alone", b
    yield f"without the {name}: {short(a)} alone", a
    other = nd.Max if isinstance(node, nd.Min) else nd.Min
    yield f"with {'max' if name == 'min' else 'min'} in place of {name}", other(a, b, share)
    if sp.S.Zero in (a, b):
        inner = b if a == 0 else a
        yield (
            f"with {name}(0, {short(-inner)}): the sign inside is turned",
            node.func(0, -inner, share),
        )
        yield f"with the {name} squared", node**2
        if name == "max":
            yield (
                f"with softplus({short(inner)}) in place of max(0, {short(inner)})",
                nd.Softplus(inner),
            )
    for x, y in ((a, b), (b, a)):
        if isinstance(x, sp.Add):
            for part in nd.walk(x):
                if isinstance(part, nd.Param):
                    yield (
                        f"with {part} missing inside the {name}",
                        node.func(replaced(x, part, sp.S.Zero), y, share),
                    )


_HARD = ": the same only where one of them is 0 or 1"


def _hard(gap: sp.Expr, shown: str) -> Iterator[Edit]:
    """What a distance of two numbers is while one of them is a hard label."""
    if isinstance(gap, sp.Add) and len(gap.args) == 2:
        signs = [term.as_coeff_Mul() for term in gap.args]
        if sorted(c for c, _ in signs) == [-1, 1]:
            (_, a), (_, b) = signs
            product = a + b - 2 * a * b
            yield f"with {short(product)} in place of {shown}{_HARD}", product


def clip(node: nd.Clip, letters: tuple[Letter, ...]) -> Iterator[Edit]:
    """A clamp: missing."""
    yield f"without the clamp of {short(node.args[0])}", node.args[0]


def choice(node: nd.Where, letters: tuple[Letter, ...]) -> Iterator[Edit]:
    """A choice: branches exchanged or ignored, another quantity compared."""
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


def xlogy(node: nd.Xlogy, letters: tuple[Letter, ...]) -> Iterator[Edit]:
    """``x log y``: missing, or the two exchanged."""
    x, y = node.args
    yield f"without the term {short(node)}", sp.S.Zero
    yield f"with {short(y)} log {short(x)} in place of {short(x)} log {short(y)}", nd.Xlogy(y, x)


def comparison(node: nd.Compare, letters: tuple[Letter, ...]) -> Iterator[Edit]:
    """A comparison: the other way round, the ends counted or not."""
    if not nd.is_static(node) and node.op in ("==", "!="):
        return
    if not nd.is_static(node):
        yield (
            f"with '{short(node)}' the other way round",
            nd.Compare(nd.MIRROR[node.op], node.left, node.right),
        )
        other = node.op.removesuffix("=") if "=" in node.op else f"{node.op}="
        changed = nd.Compare(other, node.left, node.right)
        yield f"with '{short(changed)}' in place of '{short(node)}'", changed
