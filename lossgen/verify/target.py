"""The code in question: found, loaded, and asked for its arguments.

In: ``package.module:name``, ``path/file.py:name``, or a live object. Out: a ``Target``. Refused,
with what to do: a file or a name that is not there, a module that raises when it is imported,
something that cannot be called.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from lossgen.errors import LossgenError, suggest

Kind = Literal["function", "class", "instance"]
Stage = Literal["init", "call", "held"]


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of the code, or a part of one.

    ``stage`` says what takes it: a constructor, a call, or nothing, where it is a parameter that a
    module holds. Of a part, ``holder`` is the argument, and ``steps`` lead to it from there.
    """

    name: str
    stage: Stage
    required: bool
    positional: bool
    default: Any = None
    holder: str = ""
    steps: tuple[Any, ...] = ()


@dataclass(frozen=True, eq=False)
class Target:
    """Something that can be called as a loss.

    Attributes:
        name: as it was given, for messages.
        where: file and line of its definition, if known.
        open: whether it takes any keyword (``**kwargs``) beside its arguments.
        known: whether its signature could be read.
        method: of a class, what is called of the instance; "" for the instance itself.
        called: the function whose body takes the call's arguments, if known.
    """

    name: str
    kind: Kind
    object: Any
    arguments: tuple[Argument, ...]
    where: str = ""
    open: bool = False
    known: bool = True
    method: str = ""
    called: Any = None

    def argument(self, name: str) -> Argument | None:
        """The argument of that name; a constructor's comes first."""
        return next((a for a in self.arguments if a.name == name), None)

    def owner(self, init: Mapping[str, Any]) -> Any:
        """The object that is called or whose method is: of a class an instance."""
        return self.object(**init) if self.kind == "class" else self.object

    def called_of(self, owner: Any, held: Mapping[str, Any]) -> Callable[..., Any]:
        """What is called of an object, its parameters replaced by what is held."""
        for name, value in held.items():
            vars(owner)["_parameters"].pop(name, None)
            setattr(owner, name, value)
        called: Callable[..., Any] = getattr(owner, self.method) if self.method else owner
        return called


def load_target(text: str) -> Target:
    """Load ``package.module:name`` or ``path/file.py:name``.

    Raises:
        LossgenError: where there is no such code, or it cannot be imported.
    """
    place, separator, name = text.replace("::", ":").rpartition(":")
    if not separator or not place or not name:
        raise LossgenError(
            f"'{text}' does not say which object is meant. "
            f"Write package.module:name or path/file.py:name.{_defined(text.rstrip(':'))}"
        )
    module = _from_file(Path(place)) if place.endswith(".py") else _from_package(place)
    found: Any = module
    owner: Any = None
    for part in name.split("."):
        if not hasattr(found, part):
            public = [x for x, y in vars(found).items() if x[0] != "_" and callable(y)]
            hint = suggest(part, public) or f"It defines {', '.join(public[:12]) or 'nothing'}."
            raise LossgenError(f"{place} has no '{part}'. {hint}")
        owner, found = found, getattr(found, part)
    if inspect.isclass(owner) and inspect.isfunction(inspect.getattr_static(owner, part)):
        return _method(owner, part, text)
    return describe_target(found, text)


def _method(owner: Any, name: str, text: str) -> Target:
    """A method of a class, of which an instance is made for each call."""
    init, open_init, _ = _arguments(owner, "init")
    function = getattr(owner, name)
    call, open_call, known = _arguments(function, "call", bound=False)
    is_open = open_init or open_call
    where = _where(function)
    return Target(
        text, "class", owner, (*init, *call), where, is_open, known, name, called=function
    )


def describe_target(found: Any, name: str = "") -> Target:
    """A live object as a ``Target``.

    Raises:
        LossgenError: where it cannot be called.
    """
    name = name or getattr(found, "__qualname__", type(found).__qualname__)
    if not callable(found):
        word = type(found).__name__
        article = "an" if word[0].lower() in "aeiou" else "a"
        what = repr(found)[:40] if name == type(found).__qualname__ else name
        raise LossgenError(f"{what} is {article} {word}, which cannot be called as a loss.")
    where = _where(found)
    is_class: bool = inspect.isclass(found)
    if is_class:
        if _is_autograd_function(found):
            taken = _arguments(found.forward, "call", bound=False)[0]
            return Target(name, "function", found.apply, taken, where)
        init, open_init, _ = _arguments(found, "init")
        call_of = getattr(found, "forward", None) or found.__call__
        call, open_call, known = _arguments(call_of, "call", bound=False)
        is_open = open_init or open_call
        return Target(name, "class", found, (*init, *call), where, is_open, known, called=call_of)
    function = found.forward if _is_module(found) else found
    kind: Kind = "instance" if _is_module(found) or not inspect.isroutine(found) else "function"
    arguments, is_open, known = _arguments(function, "call")
    return Target(name, kind, found, arguments, where, is_open, known, called=function)


def _defined(file: str) -> str:
    """What a file defines, read and not run, for a message."""
    try:
        parsed = ast.parse(Path(file).read_bytes())
    except (OSError, SyntaxError, ValueError):
        return ""
    kinds = (ast.FunctionDef, ast.ClassDef)
    names = [x.name for x in parsed.body if isinstance(x, kinds) and x.name[0] != "_"]
    return f" It defines {', '.join(names[:12])}." if names else ""


def _from_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise LossgenError(f"{path}: there is no such file.")
    folder = str(path.resolve().parent)
    if folder not in sys.path:  # its siblings, as if it had been started there
        sys.path.insert(0, folder)
    name = f"_lossgen_target_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    _guarded(lambda: spec.loader.exec_module(module), str(path))  # type: ignore[union-attr]
    return module


def _from_package(name: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    module: ModuleType = _guarded(lambda: _imported(name), name)
    return module


def _imported(name: str) -> ModuleType:
    hint = f" Did you mean {name}.py, a file?" if Path(f"{name}.py").is_file() else ""
    nothing = LossgenError(f"There is no module '{name}' here or installed.{hint}")
    if not all(part.isidentifier() for part in name.split(".")):
        raise nothing
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        # The module itself, or a package that it would be in; not one that these import.
        if f"{name}.".startswith(f"{error.name}."):
            raise nothing from error
        raise


def _guarded(load: Callable[[], Any], place: str) -> Any:
    """Run code that is not ours; what it raises becomes a message."""
    try:
        return load()
    except (KeyboardInterrupt, LossgenError):
        raise
    except BaseException as error:
        raise LossgenError(f"{place} cannot be imported: {raised(error)}") from error


def raised(error: BaseException) -> str:
    """What code that is not ours raised: kind, text, and the last line outside torch and us.

    A line of the project's own, rather than of a library, where there is one.
    """
    text = f"{type(error).__name__}: {error}".strip().splitlines()
    shown = " ".join(text[:3]).strip()[:300]
    ours = str(Path(__file__).resolve().parents[1])
    frames = [
        frame
        for frame in reversed(traceback.extract_tb(error.__traceback__))
        if "torch" not in Path(frame.filename).parts and not frame.filename.startswith((ours, "<"))
    ]
    own = [frame for frame in frames if "site-packages" not in Path(frame.filename).parts]
    for frame in own or frames:
        return f"{shown} ({Path(frame.filename).name}:{frame.lineno})"
    return shown


def _arguments(
    function: Any, stage: Literal["init", "call"], *, bound: bool = True
) -> tuple[tuple[Argument, ...], bool, bool]:
    """The arguments, whether any keyword is taken beside them, whether they could be read."""
    schema = getattr(function, "schema", None)
    if hasattr(schema, "arguments"):
        return _scripted(schema, stage), False, True
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return (), True, False
    found, is_open, any_number = [], False, False
    for p in list(signature.parameters.values())[0 if bound else 1 :]:
        if p.kind is p.VAR_KEYWORD:
            is_open = True
        elif p.kind is p.VAR_POSITIONAL:
            any_number = True
        else:
            required = p.default is p.empty
            found.append(
                Argument(
                    p.name,
                    stage,
                    required,
                    p.kind is p.POSITIONAL_ONLY,
                    None if required else p.default,
                )
            )
    # A wrapper's (*args, **kwargs) says nothing of what it wraps.
    return tuple(found), is_open, bool(found) or not any_number


def _scripted(schema: Any, stage: Literal["init", "call"]) -> tuple[Argument, ...]:
    """The arguments of what ``torch.jit.script`` made, a method's ``self`` among them."""
    return tuple(
        Argument(a.name, stage, not a.has_default_value(), False, a.default_value)
        for a in schema.arguments
        if a.name != "self"
    )


def _is_module(found: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(found, torch.nn.Module)


def _is_autograd_function(found: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and issubclass(found, torch.autograd.Function)


def _where(found: Any) -> str:
    try:
        source = inspect.unwrap(found) if inspect.isroutine(found) else found
        subject = source if inspect.isclass(source) or inspect.isroutine(source) else type(source)
        path = inspect.getsourcefile(subject)
        return f"{Path(path).name}:{inspect.getsourcelines(subject)[1]}" if path else ""
    except (TypeError, OSError):
        return ""
