"""A loss, read from its spec file and validated once.

In: a spec file.  Out: a frozen ``LossSpec``.  Everything wrong with a spec is reported together, each fault
with its file and line.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import keyword
import math
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sympy as sp
from sympy.core.parameters import distribute
from sympy.core.symbol import Str

from lossgen import nodes
from lossgen.axes import infer_axes
from lossgen.body import MEANING, read_module
from lossgen.errors import Fault, LossgenError, SpecError, suggest
from lossgen.language.declaration import Averaged, LossFunction
from lossgen.nodes import Given, Letter, Param, Read, Where, free_letters, walk
from lossgen.roles import Annotation, Broadcast, Role


@dataclass(frozen=True, slots=True)
class TensorArg:
    """A tensor argument: its role, its axes, and whether it may be absent or broadcast."""

    name: str
    role: Role
    axes: tuple[Letter, ...]
    broadcast: bool = False
    optional: bool = False

    @property
    def ragged(self) -> int | None:
        """The position of the axis that stands for any number of dimensions (``s`` or ``e``)."""
        return next((k for k, axis in enumerate(self.axes) if axis.name in "se"), None)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A scalar option; ``default`` is None when the caller must give it."""

    name: str
    role: Role
    default: float | int | bool | None
    symbol: Param


@dataclass(frozen=True, slots=True)
class LossSpec:
    """A validated loss.

    Attributes:
        item: the unreduced loss; its free letters are its shape.
        over: what the mean divides by in place of the count.
        divisors: further reductions by name, each with its divisor.
        axes: the axis letter of every letter used.
        signature, class_signature: argument names in order, ``*`` among them.
        refused: arguments of old that the generated code refuses by name.
        names: the author's names for parts of the formula, in the order of writing.
        floating: the formula for a floating-point target, if there is one.
    """

    name: str
    summary: str
    description: str
    reference: str
    family: str
    path: str
    line: int
    source_hash: str
    tensors: tuple[TensorArg, ...]
    parameters: tuple[Parameter, ...]
    item: sp.Expr
    over: sp.Expr | None
    divisors: tuple[tuple[str, sp.Expr], ...]
    axes: Mapping[Letter, Letter]
    unbatched: bool
    signature: tuple[str, ...]
    class_signature: tuple[str, ...]
    class_name: str
    functional_name: str
    default_reduction: str
    names: tuple[str, ...] = ()
    forward_weights: frozenset[str] = frozenset()
    floating: LossSpec | None = None

    def tensor(self, name: str) -> TensorArg:
        """The tensor argument of that name."""
        return next(t for t in self.tensors if t.name == name)

    @property
    def function_name(self) -> str:
        return self.name

    @property
    def refused(self) -> tuple[str, ...]:
        """Arguments of old, accepted in their place only to be refused by name."""
        known = {a.name for a in (*self.tensors, *self.parameters)} | {"*", "reduction"}
        if self.floating is not None:
            known |= {a.name for a in (*self.floating.tensors, *self.floating.parameters)}
        return tuple(x for x in self.signature if x not in known)


class TensorHandle:
    """What a spec's body sees as a tensor: it can only be subscripted."""

    def __init__(self, tensor: TensorArg, faults: list[Fault], path: str) -> None:
        self.name = tensor.name
        self._tensor, self._faults, self._path = tensor, faults, path

    def __getitem__(self, subscripts: Any) -> sp.Expr:
        places = subscripts if isinstance(subscripts, tuple) else (subscripts,)
        wanted = self._tensor.axes
        if len(places) != len(wanted):
            shown = ", ".join(map(str, wanted))
            line = sys._getframe(1).f_lineno
            text = f"'{self.name}' has {len(wanted)} axes [{shown}] and is read with {len(places)}"
            self._faults.append(Fault(self._path, line, text, f"write {self.name}[{shown}]"))
            places = (*places, *wanted)[: len(wanted)]
        return self.read(places)

    def read(self, places: tuple[Any, ...]) -> sp.Expr:
        element = Read(Str(self.name), *places)
        neutral = self._tensor.role.neutral
        if not self._tensor.optional or neutral is None:
            return element
        return Where(Given(Str(self.name)), element, sp.sympify(neutral))

    def _unsubscripted(self, *_: Any) -> Any:
        shown = ", ".join(map(str, self._tensor.axes))
        raise TypeError(f"tensor '{self.name}' is read without letters; write {self.name}[{shown}]")

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = _unsubscripted
    __rtruediv__ = __pow__ = __rpow__ = __neg__ = __abs__ = _sympy_ = _unsubscripted


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
    except (OSError, UnicodeDecodeError) as error:
        raise LossgenError(f"{path}: cannot be read: {error}") from error
    return read_spec(text, name or path.stem, _shown(path))


def _shown(path: Path) -> str:
    return f"{path.parent.name}/{path.name}" if path.parent.name else path.name


def read_spec(text: str, name: str, path: str) -> LossSpec:
    """Read a loss from the text of a spec; see :func:`load_spec`."""
    if not name.isidentifier() or keyword.iskeyword(name):
        raise SpecError(
            [Fault(path, 1, f"'{name}' is not a name Python allows", "rename the file")]
        )
    module, faults = read_module(text, path)
    if not module.body:
        raise SpecError(
            faults or [Fault(path, 1, "the file is empty", f"define @loss() def {name}")]
        )
    namespace: dict[str, Any] = {"__name__": f"specs.{name}", **MEANING}
    try:
        exec(compile(module, path, "exec"), namespace)
    except Exception as error:
        raise SpecError([*faults, _raised(error, path, 1)]) from error
    losses = {k: v for k, v in namespace.items() if isinstance(v, LossFunction)}
    if name not in losses:
        hint = suggest(name, losses) or f"The file's losses: {', '.join(losses) or 'none'}"
        raise SpecError([*faults, Fault(path, 1, f"no @loss function named '{name}'", hint)])
    digest = hashlib.sha256(text.replace("\r\n", "\n").encode()).hexdigest()[:12]
    with distribute(False):
        reader = _SpecReader(losses[name], name, path, digest, module, list(faults))
        spec = reader.read()
    if reader.faults:
        raise SpecError(sorted(dict.fromkeys(reader.faults), key=lambda f: (f.line, f.message)))
    assert spec is not None
    return spec


def _raised(error: Exception, path: str, line: int) -> Fault:
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename == path:
            line = frame.lineno or line
    hint = ""
    if isinstance(error, NameError) and error.name:
        from lossgen import language

        hint = suggest(error.name, [w for w in vars(language) if not w.startswith("_")])
    return Fault(path, line, f"{type(error).__name__}: {error}", hint)


@dataclass(slots=True)
class _SpecReader:
    """Builds one ``LossSpec``, collecting faults as it goes."""

    loss: LossFunction
    name: str
    path: str
    digest: str
    module: ast.Module
    faults: list[Fault] = field(default_factory=list)

    @property
    def line(self) -> int:
        return self.loss.function.__code__.co_firstlineno

    def fault(self, message: str, hint: str = "", word: str = "") -> None:
        self.faults.append(Fault(self.path, self._line_of(word), message, hint))

    def _line_of(self, word: str) -> int:
        """The first line of the function on which a name stands."""
        function = self.loss.function.__name__
        for node in self.module.body:
            if word and isinstance(node, ast.FunctionDef) and node.name == function:
                lines = [
                    x.lineno
                    for x in ast.walk(node)
                    if (isinstance(x, ast.Name) and x.id == word)
                    or (isinstance(x, ast.arg) and x.arg == word)
                ]
                if lines:
                    return min(lines)
        return self.line

    def read(self) -> LossSpec | None:
        tensors, parameters = self._arguments()
        result = self._run(tensors, parameters)
        if result is None:
            return None
        exprs = [x for x in (result.item, result.over, *result.named.values()) if x is not None]
        axes, axis_faults = infer_axes(exprs, {t.name: t.axes for t in tensors})
        for axis_fault in axis_faults:
            self.fault(axis_fault.message, axis_fault.hint, axis_fault.letter)
        self._check(tensors, parameters, result, exprs)
        options, doc = self.loss.options, inspect.cleandoc(self.loss.function.__doc__ or "")
        summary, _, description = doc.partition("\n")
        if not summary:
            self.fault("the loss has no docstring", "say in one line what it is")
        floating = None
        if options.floating_target is not None:
            inner = options.floating_target
            reader = _SpecReader(
                inner, inner.function.__name__, self.path, self.digest, self.module, self.faults
            )
            floating = reader.read()
        arguments = [*tensors, *parameters]
        if floating is not None:
            have = {a.name for a in arguments}
            arguments += [a for a in floating.parameters if a.name not in have]
        signature = self._signature(options.signature, arguments)
        forward = frozenset(options.forward.replace(",", " ").split())
        in_call = {t.name for t in tensors if not constructor_tensor(t, forward)}
        class_text = options.class_signature.replace(",", " ").split()
        return LossSpec(
            name=self.name,
            summary=summary.strip(),
            description=description.strip(),
            reference=options.reference,
            family=options.family,
            path=self.path,
            line=self.line,
            source_hash=self.digest,
            tensors=tuple(tensors),
            parameters=tuple(parameters),
            item=result.item,
            over=result.over,
            divisors=tuple(result.named.items()),
            axes=axes,
            unbatched=options.unbatched,
            signature=signature,
            class_signature=tuple(class_text) or tuple(x for x in signature if x not in in_call),
            class_name=options.class_name or _class_name(self.name),
            functional_name=options.functional_name or _functional_name(self.name),
            default_reduction=options.default_reduction,
            names=self._names(),
            forward_weights=forward,
            floating=floating,
        )

    def _names(self) -> tuple[str, ...]:
        function = self.loss.function.__name__
        body = next(
            x for x in self.module.body if isinstance(x, ast.FunctionDef) and x.name == function
        )
        stored = [
            (x.lineno, x.col_offset, x.id)
            for x in ast.walk(body)
            if isinstance(x, ast.Name) and isinstance(x.ctx, ast.Store)
        ]
        return tuple(dict.fromkeys(name for *_, name in sorted(stored)))

    def _signature(self, text: str, arguments: list[Any]) -> tuple[str, ...]:
        if text:
            names = tuple(text.replace(",", " ").split())
            missing = [a.name for a in arguments if a.name not in names]
            if missing:
                self.fault(
                    f"signature= leaves out '{missing[0]}'", "list every argument", missing[0]
                )
            return names
        required = [a.name for a in arguments if isinstance(a, TensorArg) and not a.optional]
        rest = [a.name for a in arguments if a.name not in required]
        return (*required, "*", *rest, "reduction")

    def _arguments(self) -> tuple[list[TensorArg], list[Parameter]]:
        tensors: list[TensorArg] = []
        parameters: list[Parameter] = []
        function = self.loss.function
        for arg in inspect.signature(function).parameters.values():
            annotation, name = arg.annotation, arg.name
            if isinstance(annotation, str):
                try:
                    annotation = eval(annotation, function.__globals__)
                except Exception as error:
                    self.fault(f"the annotation of '{name}' cannot be read: {error}", "", name)
                    continue
            learnable = isinstance(annotation, Role) and annotation.learnable
            if isinstance(annotation, Annotation) or learnable:
                tensors += self._tensor(name, annotation, arg.default)
            elif isinstance(annotation, Role):
                parameters += self._parameter(name, annotation, arg.default)
            else:
                hint = "annotate it with a role, such as Logits[n, c] or NonNegative"
                self.fault(f"argument '{name}' has no role", hint, name)
            if name in ("reduction", "self", "ctx", "torch", "nn", "math") or name.startswith("_"):
                self.fault(
                    f"argument '{name}' has a name the generated code uses", "rename it", name
                )
        if not tensors:
            self.fault("the loss reads no tensor", "annotate an argument, such as input: Real[e]")
        return tensors, parameters

    def _tensor(self, name: str, annotation: Annotation | Role, default: Any) -> list[TensorArg]:
        role, axes = (
            (annotation, ()) if isinstance(annotation, Role) else (annotation.role, annotation.axes)
        )
        letters: list[Letter] = []
        for axis in axes:
            inner = axis.letter if isinstance(axis, Broadcast) else axis
            if isinstance(inner, int) and inner > 0:
                inner = Letter(str(inner))
            if not isinstance(inner, Letter):
                self.fault(
                    f"'{axis}' is not an axis of '{name}'", "an axis is a letter or a size", name
                )
                return []
            letters.append(inner)
        if len(set(letters)) < len(letters) and not any(x.name.isdigit() for x in letters):
            self.fault(f"'{name}' names an axis twice", "give each axis its own letter", name)
        if default not in (inspect.Parameter.empty, None):
            self.fault(f"tensor '{name}' has a default", "only None makes a tensor optional", name)
        broadcast = any(isinstance(axis, Broadcast) for axis in axes)
        return [TensorArg(name, role, tuple(letters), broadcast, default is None)]

    def _parameter(self, name: str, role: Role, default: Any) -> list[Parameter]:
        if default is inspect.Parameter.empty:
            default = None
        elif isinstance(default, sp.Basic):
            default = float(default)
        elif not role.admits(default):
            self.fault(f"the default {default!r} of '{name}' is not {role.domain}", "", name)
        return [Parameter(name, role, default, Param(name, **role.assumptions))]

    def _run(self, tensors: list[TensorArg], parameters: list[Parameter]) -> Averaged | None:
        values: dict[str, Any] = {p.name: p.symbol for p in parameters}
        for tensor in tensors:
            handle = TensorHandle(tensor, self.faults, self.path)
            values[tensor.name] = handle if tensor.axes else handle.read(())
        names = inspect.signature(self.loss.function).parameters
        if any(name not in values for name in names):
            return None
        try:
            result = self.loss.function(**values)
        except Exception as error:
            self.faults.append(_raised(error, self.path, self.line))
            return None
        if not isinstance(result, Averaged):
            result = Averaged(result, None)
        if not isinstance(result.item, sp.Expr) and not isinstance(result.item, (int, float)):
            kind = type(result.item).__name__
            self.fault(
                f"the loss returns a {kind}, not an expression", "return the formula of one item"
            )
            return None
        over = None if result.over is None else sp.sympify(result.over)
        named = {k: sp.sympify(v) for k, v in result.named.items()}
        return Averaged(sp.sympify(result.item), over, named)

    def _check(
        self,
        tensors: list[TensorArg],
        parameters: list[Parameter],
        result: Averaged,
        exprs: list[sp.Expr],
    ) -> None:
        everything = list(walk(sp.Tuple(*exprs)))
        used = {x.name for x in everything if isinstance(x, (Read, Param, Given))}
        for argument in (*tensors, *parameters):
            if argument.name not in used:
                self.fault(
                    f"'{argument.name}' is never used in the formula",
                    "use it or remove it",
                    argument.name,
                )
        axes = {axis for t in tensors for axis in t.axes}
        for word, expr in (
            ("over=", result.over),
            *((f"{k}=", v) for k, v in result.named.items()),
        ):
            extra = (
                free_letters(expr) - free_letters(result.item) if expr is not None else frozenset()
            )
            for letter in extra:
                self.fault(
                    f"{word} has the letter '{letter}', which the item has not",
                    "sum over it",
                    letter.name,
                )
        if any(x in everything for x in (sp.zoo, sp.nan)) and not _expected_nan(everything):
            self.fault("the formula is undefined (it holds NaN or an unsigned infinity)", "")
        del axes
        for node in everything:
            if isinstance(node, Read) and math.prod(1 for _ in node.subscripts):
                self._check_gather(node)

    def _check_gather(self, node: Read) -> None:
        for place in node.subscripts:
            if place.is_Number and not place.is_Integer:
                self.fault(
                    f"'{node.name}' is read at {place}, which is no position",
                    "use an integer",
                    node.name,
                )


def _expected_nan(everything: list[sp.Basic]) -> bool:
    """NaN is legitimate in one place: as the value of a mean over nothing."""
    inside = [x for x in everything if isinstance(x, nodes.Reduce) and x.empty is sp.nan]
    outside = [x for x in everything if sp.nan in x.args and x not in inside]
    return not outside and sp.zoo not in everything


def constructor_tensor(tensor: TensorArg, forward: frozenset[str]) -> bool:
    """Whether the class form takes a tensor when it is built (weights, learnable parts)."""
    weight = tensor.optional and tensor.role.name == "Weight"
    return (weight or tensor.role.learnable) and tensor.name not in forward


def _class_name(name: str) -> str:
    return "".join(part.capitalize() for part in name.removesuffix("_loss").split("_")) + "Loss"


def _functional_name(name: str) -> str:
    return name if name.endswith("_loss") else f"{name}_loss"
