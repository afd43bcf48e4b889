"""What is decided when C is compiled: static conditions, and whether an exponent is a whole number.

In: a condition on options.  Out: the name of a macro, or a test made of such names.

    label_smoothing > 0 and given(weight)  →  (LABEL_SMOOTHING_GT_0 && GIVEN_WEIGHT)
"""

from __future__ import annotations

import re

import sympy as sp

from lossgen import nodes as nd
from lossgen.nodes import Param, is_static, walk

_OPERATORS = {"==": "EQ", "!=": "NE", "<": "LT", "<=": "LE", ">": "GT", ">=": "GE"}


def macro(condition: sp.Basic) -> str:
    """The name under which C knows whether a static condition holds.

    >>> macro(nd.Compare(">", Param("label_smoothing"), 0))
    'LABEL_SMOOTHING_GT_0'
    """
    if isinstance(condition, nd.Given):
        return f"GIVEN_{condition.name.upper()}"
    if isinstance(condition, nd.Needs):
        return " || ".join(f"NEED_{name.upper()}" for name in condition.names)
    if isinstance(condition, nd.Compare):
        right = {sp.oo: "INFINITY", -sp.oo: "MINUS_INFINITY"}.get(
            condition.right, str(condition.right).replace("-", "MINUS_")
        )
        text = f"{condition.left}_{_OPERATORS[condition.op]}_{right}"
        return re.sub(r"\W+", "_", text).upper()
    return re.sub(r"\W+", "_", str(condition)).strip("_").upper()


def atoms(expr: sp.Basic) -> list[sp.Basic]:
    """The static conditions in an expression, taken apart at ``and``, ``or`` and ``not``."""
    found: dict[sp.Basic, None] = {}
    for x in walk(expr):
        if isinstance(x, nd.Where) and is_static(x.args[0]):
            found.update(dict.fromkeys(leaves(x.args[0])))
        elif isinstance(x, (nd.Given, nd.Needs)):
            found.setdefault(x)
        elif isinstance(x, nd.Junction) and not is_static(x):
            # Beside conditions on tensors; C asks the option itself, Triton what it was told.
            beside = (y for y in x.args if is_static(y))
            found.update(dict.fromkeys(z for y in beside for z in leaves(y)))
    return list(found)


def leaves(condition: sp.Basic) -> list[sp.Basic]:
    """What ``and``, ``or`` and ``not`` join in a static condition."""
    if condition in (nd.TRUE, nd.FALSE):
        return []
    if isinstance(condition, (nd.Junction, nd.Not)):
        return [y for x in condition.args for y in leaves(x)]
    return [condition]


def static_code(condition: sp.Basic) -> str:
    """A static condition as C knows it when it is compiled."""
    if condition in (nd.TRUE, nd.FALSE):
        return "1" if condition is nd.TRUE else "0"
    if isinstance(condition, nd.Not):
        return f"!{static_code(condition.args[0])}"
    if isinstance(condition, nd.Junction):
        word = " || " if isinstance(condition, nd.Or) else " && "
        return f"({word.join(map(static_code, condition.args))})"
    text = macro(condition)
    return f"({text})" if " " in text else text


def integer_macro(exponent: sp.Basic) -> str:
    """The name under which C knows a small whole exponent, -1 where it is another number."""
    return f"WHOLE_{exponent.name.upper()}" if isinstance(exponent, Param) else "-1"


def whole_exponent(exponent: sp.Basic) -> tuple[Param, int] | None:
    """An exponent that may be whole: an option, and what is added to it; else None."""
    terms = [exponent] if isinstance(exponent, Param) else sp.Add.make_args(exponent)
    options = [x for x in terms if isinstance(x, Param)]
    added = [int(x) for x in terms if isinstance(x, sp.Integer)]
    if len(options) != 1 or len(terms) != 1 + len(added) or sum(added) > 0:
        return None
    return options[0], sum(added)


def whole_code(exponent: sp.Basic) -> str:
    """What C knows of an exponent: which whole number from 0 to 4 it is, -1 where it is another.

    gamma → WHOLE_GAMMA        gamma - 1 → (WHOLE_GAMMA > 0 ? WHOLE_GAMMA - 1 : -1)
    """
    found = whole_exponent(exponent)
    if found is None:
        return "-1"
    name, less = integer_macro(found[0]), -found[1]
    return f"({name} > {less - 1} ? {name} - {less} : -1)" if less else name
