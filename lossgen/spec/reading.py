"""Reads a loss from a spec file.

In: a file, or the text of one. Out: a ``LossSpec``, or ``SpecError`` with every fault found.

    load_spec(Path("specs/dice.py"))                  the loss that the file is named after
    load_spec(Path("specs/cross_entropy.py"), "cross_entropy_probabilities")
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import keyword
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sympy as sp
from sympy.core.parameters import distribute

from lossgen.axes import infer_axes
from lossgen.errors import Fault, LossgenError, SpecError
from lossgen.language.declaration import Averaged, LossFunction
from lossgen.nodes import Letter
from lossgen.spec.arguments import arguments
from lossgen.spec.checks import (
    check_formula,
    check_options,
    check_signature,
    check_used,
    expressions,
    words,
)
from lossgen.spec.counting import counted
from lossgen.spec.data import LossSpec, Parameter, TensorArg, constructor_tensor
from lossgen.spec.functions import inner_functions
from lossgen.spec.handle import TensorHandle
from lossgen.spec.modules import Shelf, SpecModule, missing, shown, unread
from lossgen.spec.positions import Finding
from lossgen.spec.reserved import MODULE


def load_spec(path: Path, name: str | None = None) -> LossSpec:
    """Read the loss that a spec file defines.

    Args:
        path: the file; its public loss is the function named as the file.
        name: another of its ``@loss`` functions.

    Raises:
        SpecError: the spec is wrong; every fault found is listed with file and line.
        LossgenError: the file cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise SpecError([Fault(shown(path), line, "the text is not UTF-8")]) from error
    except OSError as error:
        raise LossgenError(f"{path}: cannot be read: {error.strerror}") from error
    return read_spec(text, name or path.stem, shown(path), path.parent)


def read_spec(text: str, name: str, path: str, folder: Path | None = None) -> LossSpec:
    """Read a loss from the text of a spec.

    Args:
        text: the file's text.
        name: the loss.
        path: the file as faults show it.
        folder: where the specs lie that this one imports.

    Raises:
        SpecError: see :func:`load_spec`.
    """
    if not name.isidentifier() or keyword.iskeyword(name):
        message = f"'{name}' is not a name Python allows"
        raise SpecError([Fault(path, 1, message, "rename the file")])
    shelf = Shelf(folder)
    module = shelf.read(text, path)
    spec = None
    if module is not None:
        losses = module.losses()
        if name in losses:
            shelf.faults += unread(module, name)
            with distribute(False):
                spec = _SpecReader(shelf, module, losses[name], name).read()
        else:
            shelf.faults.append(missing(module, name))
    if spec is None or shelf.faults:
        faults = dict.fromkeys(shelf.faults)
        raise SpecError(sorted(faults, key=lambda f: (f.path != path, f.path, f.line, f.message)))
    return spec


@dataclass(slots=True)
class _SpecReader:
    """Builds one ``LossSpec``; faults go to the shelf."""

    shelf: Shelf
    module: SpecModule
    loss: LossFunction
    name: str

    @property
    def syntax(self) -> ast.FunctionDef:
        return self.module.functions[self.loss.function.__name__]

    def fault(self, message: str, hint: str = "", word: str = "") -> None:
        """A fault of an argument, or of the function as a whole."""
        lines = [
            x.lineno for x in ast.walk(self.syntax.args) if isinstance(x, ast.arg) and x.arg == word
        ]
        self.fault_at(message, hint, min(lines, default=self.syntax.lineno))

    def fault_at(self, message: str, hint: str, line: int) -> None:
        """A fault at a line; 0 is where the function returns."""
        line = line or self._last_return() or self.syntax.lineno
        self.shelf.faults.append(Fault(self.module.path, line, message, hint))

    def _last_return(self) -> int:
        returns = [x.lineno for x in ast.walk(self.syntax) if isinstance(x, ast.Return)]
        return max(returns, default=0)

    def report(self, findings: Iterable[Finding]) -> None:
        """Faults of the formula, each on the first line of the body that has its name."""
        for message, hint, word in findings:
            lines = [x.lineno for x in self._names_read() if x.id == word]
            if lines:
                self.fault_at(message, hint, min(lines))
            else:
                self.fault(message, hint, word)

    def _names_read(self) -> list[ast.Name]:
        nodes = (x for statement in self.syntax.body for x in ast.walk(statement))
        return [x for x in nodes if isinstance(x, ast.Name) and isinstance(x.ctx, ast.Load)]

    def read(self) -> LossSpec | None:
        """The loss; None where its function gave no formula."""
        tensors, parameters = arguments(self.loss.function, self.fault)
        options, doc = self.loss.options, inspect.getdoc(self.loss.function) or ""
        summary, _, description = doc.partition("\n")
        if not summary:
            self.fault("the loss has no docstring", "say in one line what it is")
        result = self._run(tensors, parameters)
        floating = self._floating(options.floating_target)
        if result is None:
            return None
        axes = self._axes(result, tensors)
        taken: list[TensorArg | Parameter] = [*tensors, *parameters]
        # What a fault left out may have used whatever the body mentions.
        excused = {x.id for x in self._names_read()} if self.shelf.excused else set()
        for message, hint, word in check_used(taken, result, excused):
            self.fault(message, hint, word)
        self.report(check_formula(taken, result))
        self.report(check_options(options, tensors, list(result.named)))
        if floating is not None:
            have = {a.name for a in taken}
            taken += [a for a in floating.parameters if a.name not in have]
        if options.signature:
            self.report(check_signature(options.signature, [a.name for a in taken]))
        signature = words(options.signature) or _signature(taken)
        forward = frozenset(words(options.forward))
        in_call = {t.name for t in tensors if not constructor_tensor(t, forward)}
        kept = words(options.class_signature) or tuple(x for x in signature if x not in in_call)
        for name in [x for x in kept if x in MODULE]:
            self.fault(f"argument '{name}' has a name that torch.nn.Module uses", "rename it", name)
        return LossSpec(
            name=self.name,
            summary=summary.strip(),
            description=description.strip(),
            reference=options.reference,
            family=options.family,
            path=self.module.path,
            line=self.syntax.lineno,
            source_hash=_digest(self.module.text),
            tensors=tuple(tensors),
            parameters=tuple(parameters),
            item=result.item,
            over=result.over,
            divisors=tuple(result.named.items()),
            axes=axes,
            unbatched=options.unbatched,
            signature=signature,
            class_signature=kept,
            class_name=options.class_name or _class_name(self.name),
            functional_name=options.functional_name or _functional_name(self.name),
            default_reduction=options.default_reduction,
            names=self._names(),
            functions=inner_functions(self.syntax, self.module.functions.values()),
            forward_weights=forward,
            floating=floating,
        )

    def _axes(self, result: Averaged, tensors: list[TensorArg]) -> dict[Letter, Letter]:
        axes, faults = infer_axes(expressions(result), {t.name: t.axes for t in tensors})
        for fault in faults:
            if fault.letter not in self.shelf.excused:
                self.report([(fault.message, fault.hint, fault.letter)])
        return axes

    def _floating(self, inner: Any) -> LossSpec | None:
        if inner is None:
            return None
        if not isinstance(inner, LossFunction):
            self.fault("floating_target= is no loss", "name another @loss function")
            return None
        path = inner.function.__code__.co_filename
        module = self.shelf.modules[path]
        return _SpecReader(self.shelf, module, inner, inner.function.__name__).read()

    def _names(self) -> tuple[str, ...]:
        """The author's names for parts of the formula, in the order of writing."""
        stored = [
            (x.lineno, x.col_offset, x.id)
            for x in ast.walk(self.syntax)
            if isinstance(x, ast.Name) and isinstance(x.ctx, ast.Store)
        ]
        return tuple(dict.fromkeys(name for *_, name in sorted(stored)))

    def _run(self, tensors: list[TensorArg], parameters: list[Parameter]) -> Averaged | None:
        """The formula; None, with a fault, where the function gives none."""
        values: dict[str, Any] = {p.name: p.symbol for p in parameters}
        kinds = {t.name: t.role.kind for t in tensors} | {p.name: p.role.kind for p in parameters}
        for tensor in tensors:
            handle = TensorHandle(tensor, kinds, self.shelf.modules, self.fault_at)
            values[tensor.name] = handle if tensor.axes else handle.read(())
        if any(x not in values for x in inspect.signature(self.loss.function).parameters):
            return None
        try:
            returned = self.loss.function(**values)
            result = returned if isinstance(returned, Averaged) else Averaged(returned, None)
            item = self._formula(result.item)
            over = None if result.over is None else counted(sp.sympify(result.over), kinds)
            named = {k: counted(sp.sympify(v), kinds) for k, v in result.named.items()}
        except Exception as error:
            self.shelf.raised(error, self.module.path, self.syntax.lineno)
            return None
        return None if item is None else Averaged(counted(item, kinds), over, named)

    def _formula(self, value: Any) -> sp.Expr | None:
        if isinstance(value, TensorHandle):
            value = sp.sympify(value)
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if isinstance(value, sp.Expr) or number:
            return sp.sympify(value)
        line = self._last_return()
        what = "None" if value is None else f"a {type(value).__name__}"
        if self.syntax.name not in self.shelf.excused and (line or value is not None):
            hint = "return the formula of one item"
            self.fault_at(f"the loss returns {what}, not an expression", hint, line)
        elif not self.shelf.faults:
            self.fault("the loss returns nothing", "return the formula of one item")
        return None


def _signature(taken: list[TensorArg | Parameter]) -> tuple[str, ...]:
    required = [a.name for a in taken if isinstance(a, TensorArg) and not a.optional]
    return (*required, "*", *(a.name for a in taken if a.name not in required), "reduction")


def _digest(text: str) -> str:
    return hashlib.sha256(text.replace("\r\n", "\n").encode()).hexdigest()[:12]


def _class_name(name: str) -> str:
    return "".join(part.capitalize() for part in name.removesuffix("_loss").split("_")) + "Loss"


def _functional_name(name: str) -> str:
    return name if name.endswith("_loss") else f"{name}_loss"
