"""The value of arithmetic on literal numbers, worked out in floats so that no power costs much."""

import ast


def is_literal(node: ast.expr) -> bool:
    """Whether `node` is made of numbers and operators alone."""
    return all(
        isinstance(part, (ast.Constant, ast.BinOp, ast.UnaryOp, ast.operator, ast.unaryop))
        for part in ast.walk(node)
    )


def magnitude(node: ast.expr) -> float | None:
    """Return a literal's value, or None where it has none; floats make a huge power cheap."""
    try:
        match node:
            case ast.Constant(value=int() | float() as value):
                result = float(value)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                result = -_known(operand)
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                result = _known(operand)
            case ast.BinOp(left=left, op=op, right=right):
                a, b = _known(left), _known(right)
                match op:
                    case ast.Add():
                        result = a + b
                    case ast.Sub():
                        result = a - b
                    case ast.Mult():
                        result = a * b
                    case ast.Div():
                        result = a / b
                    case ast.Pow():
                        power: float | complex = a**b
                        result = power if isinstance(power, float) else float("nan")
                    case _:
                        return None
            case _:
                return None
    except (ArithmeticError, ValueError, RecursionError):
        return None
    return result if abs(result) < float("inf") else None


def _known(node: ast.expr) -> float:
    value = magnitude(node)
    if value is None:
        raise ValueError
    return value
