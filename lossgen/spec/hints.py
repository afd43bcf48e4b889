"""What Python says of a faulty spec, in the words of the language.

In: an exception that a spec raised, or a name that it does not define. Out: a message that names no
class of LossGen's or SymPy's, and what to write instead.
"""

from __future__ import annotations

import inspect
import re

import sympy as sp

from lossgen import language
from lossgen.errors import suggest
from lossgen.nodes import Unknown
from lossgen.spec.handle import TensorHandle

# What tensors and Python call it -> what a formula calls it.
_ELSEWHERE = {
    "abs": "Abs(x)",
    "absolute": "Abs(x)",
    "amax": "Amax(x, d)",
    "amin": "Amin(x, d)",
    "any": "Any(condition, d)",
    "all": "All(condition, d)",
    "clamp": "clip(x, low, high)",
    "cumsum": "Sum(at(x, c=k), k, where=k <= c)",
    "detach": "stop_gradient(x)",
    "eye": "where(i == j, 1, 0)",
    "gather": "at(x, c=target[n])",
    "logsigmoid": "log_sigmoid(x)",
    "matmul": "Sum(x * y, d)",
    "max": "Amax(x, d), or Max(x, y) of two",
    "maximum": "Max(x, y)",
    "mean": "Mean(x, d)",
    "min": "Amin(x, d), or Min(x, y) of two",
    "minimum": "Min(x, y)",
    "numel": "size(c)",
    "one_hot": "where(c == target[n], 1, 0)",
    "pow": "x ** y",
    "relu": "Max(0, x)",
    "shape": "size(c)",
    "square": "x ** 2",
    "sum": "Sum(x, d)",
    "Tensor": "a role, such as Real[n, c]",
}
_MODULES = ("F", "math", "nn", "np", "numpy", "sp", "sympy", "torch")
_OPERATORS = {
    "^": ("'^' is not a power here", "write **"),
    "&": ("'&' has no meaning in a formula", "write and"),
    "|": ("'|' has no meaning in a formula", "write or"),
    "~": ("'~' has no meaning in a formula", "write not"),
    "@": ("'@' has no meaning in a formula", "write Sum(x * y, d)"),
}
_QUOTED = re.compile(r"'(\w+)'")
_CALL = re.compile(r"(\w+)\(\) (?:got an unexpected keyword argument '(\w+)'|missing|takes)")


def word_for(name: str) -> str:
    """A hint at what the language writes for a name of Python's or torch's; empty if none."""
    if name in _ELSEWHERE:
        return f"write {_ELSEWHERE[name]}"
    return f"write {_usage(name)}" if _is_function(name) else ""


def undefined(name: str, others: list[str]) -> str:
    """A hint for a name that a spec does not define, ``others`` being those that it does."""
    if name in language.__all__:
        return f"import it: from lossgen.language import {name}"
    if name == "Tensor":
        return word_for(name)
    if name in _MODULES:
        return "use the functions of lossgen.language"
    if len(name) == 1 and name.isalpha():
        small = name.lower()
        if small != name and small in language.__all__:
            return f"a letter for an axis is small: {small}"
        return f'if it is an axis, name it above the loss: ({small},) = axes("{small}")'
    return suggest(name, [*others, *language.__all__]) or word_for(name)


def explained(error: Exception) -> tuple[str, str] | None:
    """A message and a hint; None for what only follows from a fault that is told already."""
    if isinstance(error, AttributeError):
        if isinstance(error.obj, Unknown):
            return None
        if isinstance(error.obj, (sp.Basic, TensorHandle)):
            name = error.name or ""
            hint = word_for(name) or "use the functions of lossgen.language"
            return f"an expression has no '.{name}'", hint
    text = str(error)
    if isinstance(error, RecursionError):
        hint = "write it as a sum or a product over a letter"
        return "this calls itself without end, and a formula has no recursion", hint
    if isinstance(error, UnboundLocalError) and (quoted := _QUOTED.search(text)):
        return f"the name '{quoted[1]}' is read before it has a value", "assign it above"
    if "truth value" in text:
        hint = "write where(condition, yes, no), Max or Min"
        return "whether a condition holds is not known before there are numbers", hint
    if isinstance(error, TypeError):
        if call := _CALL.match(text):
            return _called(text, *call.groups())
        for sign, words in _OPERATORS.items():
            if re.search(rf"operand type(\(s\) for|.* unary) {re.escape(sign)}:", text):
                return words
        if text.endswith("object is not subscriptable"):
            hint = "write a name alone, or at(name, c=target[n]) for its value elsewhere"
            return "only a tensor is read in brackets", hint
        if text.endswith("has no len()"):
            return "an expression is one number, and has no length", "write size(c)"
        if text.endswith("object is not iterable"):
            return "an expression is one number, and nothing to go through", word_for("sum")
    return f"{type(error).__name__}: {text}", ""


def _called(text: str, name: str, keyword: str | None) -> tuple[str, str]:
    if not _is_function(name):
        return f"TypeError: {text}", ""
    known = inspect.signature(getattr(language, name)).parameters
    near = suggest(keyword, known) if keyword else ""
    return text, near or f"write {_usage(name)}"


def _is_function(name: str) -> bool:
    return name in language.__all__ and inspect.isfunction(getattr(language, name))


def _usage(name: str) -> str:
    """How a word is used, its optional arguments left out: ``softmax(body, letter)``."""
    shown = []
    for key, argument in inspect.signature(getattr(language, name)).parameters.items():
        if argument.kind is argument.VAR_POSITIONAL:
            shown.append({"letters": "d"}.get(key, "…"))
        elif argument.default is argument.empty and argument.kind is not argument.VAR_KEYWORD:
            shown.append(f"{key}=…" if argument.kind is argument.KEYWORD_ONLY else key)
    return f"{name}({', '.join(shown)})"
