"""Small faults in the code of a generated module, as a compiler or an editor could make them.

In: a syntax tree.  Out: every ``Mutation`` of it, by kind; ``mutated`` makes
the tree that has one.
Docstrings, annotations, imports and the texts of errors are left alone.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from judge import Site, steps

Change = Callable[[ast.expr], ast.expr]

_DIMENSIONED = frozenset(
    "sum mean amax amin logsumexp softmax log_softmax any all unsqueeze squeeze flatten gather "
    "scatter_add index_add index_select narrow vector_norm movedim diff cumsum argmax select".split()
)
_REDUCTIONS = {
    "sum": "mean",
    "mean": "sum",
    "amax": "amin",
    "amin": "amax",
    "any": "all",
    "all": "any",
}
_TWINS = {
    "softmax": "log_softmax",
    "log_softmax": "softmax",
    "maximum": "minimum",
    "minimum": "maximum",
}
_COMMUTATIVE = frozenset(
    ("hypot", "_hypot", "maximum", "minimum", "logaddexp", "promote_types", "_common_dtype")
)
_SMOOTH = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow, ast.MatMult)
_COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}


@dataclass(frozen=True, slots=True)
class Mutation:
    """One change: its kind, the place of the node in the walk over the tree, and the change."""

    kind: str
    place: int
    line: int
    change: Change


def mutations(tree: ast.Module) -> list[Mutation]:
    """Every mutation of the module's code, in the order of the walk."""
    places = {id(node): place for place, node in enumerate(ast.walk(tree))}
    compared = {id(x) for c in ast.walk(tree) if isinstance(c, ast.Compare) for x in ast.walk(c)}
    fixed = _detached_names(tree)
    found = []
    for node in _code(tree):
        for kind, change in _changes(node, fixed):
            if kind == "detached term" and id(node) in compared:
                continue  # a comparison has no gradient
            found.append(Mutation(kind, places[id(node)], node.lineno, change))
    return found


def mutated(tree: ast.Module, mutation: Mutation) -> tuple[ast.Module, str]:
    """A copy of the tree with one change made, and the change in a line."""
    tree = copy.deepcopy(tree)
    target = next(n for place, n in enumerate(ast.walk(tree)) if place == mutation.place)
    assert isinstance(target, ast.expr)
    before, changed = ast.unparse(target), mutation.change(target)
    replaced = _Replace(target, changed).visit(tree)
    assert isinstance(replaced, ast.Module)
    return ast.fix_missing_locations(replaced), f"{before} -> {ast.unparse(changed)}"


def site(tree: ast.Module, mutation: Mutation, module: str) -> Site:
    """Where a mutation lies: the function, the whole expression, and the way down to the node."""
    target = next(n for place, n in enumerate(ast.walk(tree)) if place == mutation.place)
    assert isinstance(target, ast.expr)
    way = steps(tree, target)
    assert way is not None
    names = [node.name for node, _, _ in way if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
    inner = [step for step in way if isinstance(step[0], ast.expr)]
    whole = inner[0][0] if inner else target
    # A keyword is no expression, but on the way to one.
    first = next((k for k, step in enumerate(way) if step[0] is whole), len(way))
    path = tuple((name, place) for _, name, place in way[first:])
    after = ast.unparse(mutation.change(copy.deepcopy(target)))
    before = ast.unparse(target)
    return Site(module, ".".join(names), ast.unparse(whole), path, before, after)


class _Replace(ast.NodeTransformer):
    def __init__(self, old: ast.expr, new: ast.expr) -> None:
        self.old, self.new = old, ast.copy_location(new, old)

    def visit(self, node: ast.AST) -> ast.AST:
        if node is self.old:
            return self.new
        result: ast.AST = self.generic_visit(node)
        return result


def _code(node: ast.AST) -> Iterator[ast.expr]:
    """The expressions that compute."""
    if isinstance(node, (ast.JoinedStr, ast.Raise, ast.Import, ast.ImportFrom)):
        return
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return
    if isinstance(node, ast.Assign) and _is_declaration(node):
        return
    if isinstance(node, ast.expr):
        yield node
    if isinstance(node, ast.UnaryOp) and _is_dimension(node):
        return  # the number in it is mutated with its sign
    # An axis is mutated with the call that it belongs to, not as a number.
    axes = node.args if isinstance(node, ast.Call) and _name(node) in _DIMENSIONED else []
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "bases", "targets", "target"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not (child in axes and _is_dimension(child)):
                yield from _code(child)


def _name(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)


def _is_declaration(node: ast.Assign) -> bool:
    names = [x.id for x in node.targets if isinstance(x, ast.Name)]
    return bool(set(names) & {"__all__", "Reduction"})


def _detached_names(tree: ast.Module) -> frozenset[str]:
    """Names of what is detached where it is assigned: it has no gradient to lose."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            targets = node.targets if _name(node.value) == "detach" else []
            found |= {x.id for x in targets if isinstance(x, ast.Name)}
    return frozenset(found)


def _changes(node: ast.expr, fixed: frozenset[str]) -> Iterator[tuple[str, Change]]:
    if isinstance(node, ast.BinOp):
        yield from _arithmetic(node, fixed)
    elif isinstance(node, ast.UnaryOp) and _is_dimension(node):
        kind = "wrong axis" if ast.literal_eval(node) > -9 else "changed constant"
        yield kind, lambda n: ast.Constant(-1 - n.operand.value)  # type: ignore[attr-defined]
    elif isinstance(node, ast.UnaryOp):
        kind = "flipped sign" if isinstance(node.op, ast.USub) else "negated condition"
        yield kind, lambda n: n.operand  # type: ignore[attr-defined]
    elif isinstance(node, ast.Constant):
        yield from _constant(node)
    elif isinstance(node, ast.Compare):
        if type(node.ops[0]) in _COMPARED:
            yield "changed comparison", _compared
    elif isinstance(node, ast.BoolOp):
        yield (
            "changed comparison",
            lambda n: ast.BoolOp(
                ast.Or() if isinstance(n.op, ast.And) else ast.And(),
                n.values,  # type: ignore[attr-defined]
            ),
        )
    elif isinstance(node, ast.Call):
        yield from _call(node)
    elif isinstance(node, ast.IfExp):
        yield "negated condition", lambda n: ast.IfExp(n.test, n.orelse, n.body)  # type: ignore[attr-defined]


def _arithmetic(node: ast.BinOp, fixed: frozenset[str]) -> Iterator[tuple[str, Change]]:
    opposite: dict[type[ast.operator], ast.operator] = {ast.Add: ast.Sub(), ast.Sub: ast.Add()}
    if type(node.op) in opposite:
        yield "flipped sign", lambda n: ast.BinOp(n.left, opposite[type(n.op)], n.right)  # type: ignore[attr-defined]
        yield "dropped term", lambda n: n.left  # type: ignore[attr-defined]
        yield "dropped term", lambda n: n.right  # type: ignore[attr-defined]
    if isinstance(node.op, ast.Mult):
        yield "dropped factor", lambda n: n.left  # type: ignore[attr-defined]
        yield "dropped factor", lambda n: n.right  # type: ignore[attr-defined]
    if isinstance(node.op, ast.Div):
        yield "wrong denominator", lambda n: n.left  # type: ignore[attr-defined]
        yield "wrong denominator", lambda n: ast.BinOp(n.left, ast.Mult(), n.right)  # type: ignore[attr-defined]
    if isinstance(node.op, (ast.Sub, ast.Div, ast.Pow, ast.MatMult)):
        yield "swapped terms", lambda n: ast.BinOp(n.right, n.op, n.left)  # type: ignore[attr-defined]
    for side in ("left", "right") if isinstance(node.op, _SMOOTH) else ():
        part = getattr(node, side)
        names = {x.id for x in ast.walk(part) if isinstance(x, ast.Name)} - {"torch", "F"}
        if _looks_like_tensor(part) and not (names and names <= fixed):
            yield "detached term", lambda n, side=side: _detached(n, side)  # type: ignore[misc]


_STEPS = frozenset(("to", "sign", "new_full", "new_tensor", "eye", "arange", "detach"))


def _looks_like_tensor(node: ast.expr) -> bool:
    """Whether a gradient flows through a term: not through sizes, nor through what is a step."""
    if isinstance(node, ast.BinOp):
        flat = _is_flat(node.left) and _is_flat(node.right)
    elif isinstance(node, ast.Call) and _name(node) == "where":
        flat = all(map(_is_flat, node.args[1:]))
    elif isinstance(node, ast.Call):
        flat = _name(node) in _STEPS
    else:
        return False
    return not flat and "shape" not in ast.unparse(node)


def _is_flat(node: ast.expr) -> bool:
    """Whether a term is a number, or made of steps."""
    if isinstance(node, ast.UnaryOp):
        return _is_flat(node.operand)
    number = isinstance(node, ast.Constant)
    return number or (isinstance(node, (ast.Call, ast.BinOp)) and not _looks_like_tensor(node))


def _detached(node: ast.expr, side: str) -> ast.expr:
    assert isinstance(node, ast.BinOp)
    parts = {"left": node.left, "right": node.right}
    parts[side] = ast.Call(ast.Attribute(parts[side], "detach", ast.Load()), [], [])
    return ast.BinOp(parts["left"], node.op, parts["right"])


def _constant(node: ast.Constant) -> Iterator[tuple[str, Change]]:
    value = node.value
    if isinstance(value, bool):
        return
    if isinstance(value, int):
        yield "changed constant", lambda n: ast.Constant(n.value + 1)  # type: ignore[attr-defined]
    elif isinstance(value, float):
        yield "changed constant", lambda n: ast.Constant(n.value * 1.5 if n.value else 0.5)  # type: ignore[attr-defined]
    elif value in ("none", "mean", "sum"):
        other = {"none": "mean", "mean": "sum", "sum": "mean"}
        yield "wrong reduction", lambda n: ast.Constant(other[n.value])  # type: ignore[attr-defined]


def _compared(node: ast.expr) -> ast.expr:
    assert isinstance(node, ast.Compare)
    return ast.Compare(node.left, [_COMPARED[type(node.ops[0])](), *node.ops[1:]], node.comparators)


def _call(node: ast.Call) -> Iterator[tuple[str, Change]]:
    name = _name(node)
    if isinstance(node.func, ast.Attribute) and (name in _REDUCTIONS or name in _TWINS):
        yield "wrong reduction", lambda n: _renamed(n, (_REDUCTIONS | _TWINS)[name])
    if name in _DIMENSIONED:
        for place, argument in enumerate(node.args):
            if _is_dimension(argument):
                yield "wrong axis", lambda n, place=place: _moved(n, place)  # type: ignore[misc]
                break
    names = [k for k, a in enumerate(node.args) if isinstance(a, (ast.Name, ast.Call, ast.BinOp))]
    if len(names) >= 2 and name not in _COMMUTATIVE:
        yield "swapped parameters", lambda n: _swapped(n, names[-2], names[-1])
    keywords = [k for k in node.keywords if k.arg is not None]
    if len(keywords) >= 2:
        yield "swapped parameters", _swapped_keywords
    if name == "detach":
        yield "detached term", lambda n: n.func.value  # type: ignore[attr-defined]


def _is_dimension(node: ast.AST) -> bool:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        node = node.operand
    return isinstance(node, ast.Constant) and isinstance(node.value, int)


def _moved(node: ast.expr, place: int) -> ast.expr:
    assert isinstance(node, ast.Call)
    axis = ast.literal_eval(node.args[place])
    other = axis - 1 if axis > 0 else axis + 1 if axis == 0 else -1 if axis < -1 else 0
    arguments = [*node.args[:place], ast.Constant(other), *node.args[place + 1 :]]
    return ast.Call(node.func, arguments, node.keywords)


def _renamed(node: ast.expr, name: str) -> ast.expr:
    assert isinstance(node, ast.Call)
    assert isinstance(node.func, ast.Attribute)
    return ast.Call(ast.Attribute(node.func.value, name, ast.Load()), node.args, node.keywords)


def _swapped(node: ast.expr, one: int, two: int) -> ast.expr:
    assert isinstance(node, ast.Call)
    arguments = list(node.args)
    arguments[one], arguments[two] = arguments[two], arguments[one]
    return ast.Call(node.func, arguments, node.keywords)


def _swapped_keywords(node: ast.expr) -> ast.expr:
    """The values of the last two keywords exchanged."""
    assert isinstance(node, ast.Call)
    *first, one, two = node.keywords
    swapped = [ast.keyword(one.arg, two.value), ast.keyword(two.arg, one.value)]
    return ast.Call(node.func, node.args, [*first, *swapped])
