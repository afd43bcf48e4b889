"""Spec files as modules: parsed, given their mathematical meaning, run once.

In: the text of a spec and the folder that it lies in. Out: a ``SpecModule``, whose namespace holds
its functions, and the faults found on the way. A spec imports from ``lossgen.language`` and, by
their names, from the specs beside it:

    from dice import dice            specs/dice.py, read in the same way
    import torch                     refused
"""

from __future__ import annotations
import __future__

import ast
import builtins
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from lossgen import language
from lossgen.body import MEANING, give_meaning, unbound_names
from lossgen.errors import Fault, suggest
from lossgen.language.declaration import LossFunction
from lossgen.language.letters import FollowsError
from lossgen.nodes import Unknown
from lossgen.spec.hints import explained, undefined

_PACKAGE = str(Path(__file__).parents[1])


@dataclass(frozen=True, slots=True)
class SpecModule:
    """One spec file, run.

    Attributes:
        path: as faults show it.
        text: its text and that of the specs it imports, which its hash covers.
        functions: the syntax of its functions by name.
        namespace: what it defines and imports.
    """

    path: str
    text: str
    functions: dict[str, ast.FunctionDef]
    namespace: dict[str, Any]

    def losses(self) -> dict[str, LossFunction]:
        """The losses that the file itself defines."""
        values = ((name, self.namespace.get(name)) for name in self.functions)
        return {name: value for name, value in values if isinstance(value, LossFunction)}


@dataclass(slots=True)
class Shelf:
    """The specs of one folder, each run at most once.

    Attributes:
        folder: where imported specs lie; None where there is none.
        modules: what was read, by path as shown.
        faults: everything wrong so far.
        excused: names in what was left out, which are not to be called unused.
        importing: the files being read, outermost first.
    """

    folder: Path | None
    modules: dict[str, SpecModule] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    excused: set[str] = field(default_factory=set)
    importing: list[str] = field(default_factory=list)

    def read(self, text: str, path: str) -> SpecModule | None:
        """Run the text of a spec; None where nothing of it can be used."""
        tree = self._parsed(text, path)
        if tree is None:
            return None
        self.importing.append(path)
        imported, texts = self._imports(tree, path)
        known = {*imported, *MEANING, *vars(builtins), "__name__", "__file__"}
        for name, line in unbound_names(tree, known).items():
            words = [w for w in (*imported, *_bound(tree)) if w != name]
            self._fault(path, line, f"the name '{name}' is not defined", undefined(name, words))
            imported[name] = Unknown(name)
            self.excused.add(name)
        meaning = give_meaning(tree, path)
        self.faults += meaning.faults
        self.excused |= meaning.excused
        namespace = {"__name__": f"specs.{Path(path).stem}", **MEANING, **imported}
        try:
            # Annotations stay text, so that a fault of one leaves the others readable.
            deferred = __future__.annotations.compiler_flag
            # Docstrings count, whatever level of optimisation Python runs at.
            code = compile(tree, path, "exec", flags=deferred, dont_inherit=True, optimize=0)
            exec(code, namespace)
        except SyntaxError as error:  # what only compiling finds, such as a return outside
            self._invalid(error, path)
            return None
        except Exception as error:
            self.raised(error, path, 1)
            return None
        finally:
            self.importing.pop()
        functions = {x.name: x for x in tree.body if isinstance(x, ast.FunctionDef)}
        module = SpecModule(path, "".join((text, *texts)), functions, namespace)
        self.modules[path] = module
        return module

    def raised(self, error: Exception, path: str, line: int) -> None:
        """Note what running a spec raised, at the innermost line of a spec."""
        frames = traceback.extract_tb(error.__traceback__)
        for frame in frames:
            if frame.filename in self.modules or frame.filename in (path, *self.importing):
                path, line = frame.filename, frame.lineno or line
        if isinstance(error, FollowsError):
            return
        if isinstance(error, TypeError) and frames and frames[-1].filename.startswith(_PACKAGE):
            self._fault(path, line, str(error))  # a word of the language, used wrongly, says so
        elif said := explained(error):
            self._fault(path, line, *said)

    def _fault(self, path: str, line: int, message: str, hint: str = "") -> None:
        self.faults.append(Fault(path, line, message, hint))

    def _parsed(self, text: str, path: str) -> ast.Module | None:
        try:
            tree = ast.parse(text, filename=path)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            self._invalid(error, path)
            return None
        if not tree.body:
            self._fault(path, 1, "the file is empty", f"define @loss() def {Path(path).stem}")
            return None
        return tree

    def _invalid(self, error: Exception, path: str) -> None:
        line = getattr(error, "lineno", None) or 1
        message = getattr(error, "msg", "") or str(error) or "nested too deeply"
        self._fault(path, line, f"not valid Python: {message}")

    # --- imports ----------------------------------------------------------------------------

    def _imports(self, tree: ast.Module, path: str) -> tuple[dict[str, Any], list[str]]:
        """Take the imports out of a file: what they bind, and the texts of other specs."""
        found: dict[str, Any] = {}
        texts: list[str] = []
        for node in [x for x in tree.body if isinstance(x, (ast.Import, ast.ImportFrom))]:
            if isinstance(node, ast.ImportFrom) and node.module == "__future__":
                continue
            tree.body.remove(node)
            if isinstance(node, ast.ImportFrom):
                namespace = self._namespace(node.module or "", node, path, texts)
                for alias in node.names:
                    self._bind(found, alias, namespace, node, path)
                continue
            for alias in node.names:
                name, *inner = [alias.name] if alias.asname else alias.name.split(".")
                value: Any = self._namespace(alias.name, node, path, texts)
                value = Unknown(name) if value is None else SimpleNamespace(**value)
                for part in reversed(inner):
                    value = SimpleNamespace(**{part: value})
                found[alias.asname or name] = value
        return found, texts

    def _bind(
        self,
        found: dict[str, Any],
        alias: ast.alias,
        namespace: dict[str, Any] | None,
        node: ast.ImportFrom,
        path: str,
    ) -> None:
        """``from module import alias``, where the module offers a namespace."""
        if alias.name == "*":
            found.update(namespace or {})
            return
        bound = alias.asname or alias.name
        if namespace is not None and alias.name in namespace:
            found[bound] = namespace[alias.name]
            return
        if namespace is not None:
            message = f"{node.module} has no '{alias.name}'"
            self._fault(path, alias.lineno, message, suggest(alias.name, namespace))
        found[bound] = Unknown(bound)
        self.excused.add(bound)

    def _namespace(
        self, origin: str, node: ast.stmt, path: str, texts: list[str]
    ) -> dict[str, Any] | None:
        """What a module offers; None, and a fault, where a spec may not import it."""
        if origin == "lossgen.language":
            return {name: getattr(language, name) for name in language.__all__}
        file = None if self.folder is None else self.folder / f"{origin}.py"
        if file is None or not origin.isidentifier() or not file.is_file():
            beside = [] if self.folder is None else [x.stem for x in self.folder.glob("*.py")]
            others = [x for x in beside if x != Path(path).stem]
            hint = suggest(origin, [*others, "lossgen.language"])
            message = f"a spec imports from lossgen.language and the specs beside it, not {origin}"
            self._fault(path, node.lineno, message, hint)
            return None
        there = shown(file)
        if there in self.importing:
            circle = " imports ".join([*self.importing[self.importing.index(there) :], there])
            hint = "move what they share into a third file"
            self._fault(path, node.lineno, f"specs import one another: {circle}", hint)
            return None
        if there not in self.modules:
            try:
                text = file.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                self._fault(there, 1, f"cannot be read: {error}")
                return None
            self.read(text, there)
        module = self.modules.get(there)
        if module is None:
            return None
        texts.append(module.text)
        return {k: v for k, v in module.namespace.items() if not k.startswith("_")}


def shown(path: Path) -> str:
    """A spec's path as faults and headers show it: its folder and its name."""
    return f"{path.parent.name}/{path.name}" if path.parent.name else path.name


def missing(module: SpecModule, name: str) -> Fault:
    """The loss that the file should hold, and does not."""
    if name in module.functions:
        line = module.functions[name].lineno
        return Fault(module.path, line, f"'{name}' is no loss yet", "write @loss() above it")
    losses = module.losses()
    found = f"It has {', '.join(losses)}: a loss and its file share a name" if losses else ""
    hint = suggest(name, losses) or found or f"define @loss() def {name}"
    return Fault(module.path, 1, f"no @loss function named '{name}'", hint)


def unread(module: SpecModule, name: str) -> list[Fault]:
    """Losses beside the one that the file is named after, of which it makes no use."""
    if name != Path(module.path).stem:
        return []
    nodes = (x for function in module.functions.values() for x in ast.walk(function))
    read = {x.id for x in nodes if isinstance(x, ast.Name)}
    return [
        Fault(
            module.path,
            module.functions[other].lineno,
            f"'{other}' is a second loss, which nothing reads",
            f"give it a file of its own, {other}.py",
        )
        for other in module.losses()
        if other != name and other not in read
    ]


def _bound(tree: ast.Module) -> list[str]:
    """Every name that a file gives to something, for suggestions."""
    found: dict[str, None] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.setdefault(node.id)
        elif isinstance(node, ast.arg):
            found.setdefault(node.arg)
        elif isinstance(node, ast.FunctionDef):
            found.setdefault(node.name)
    return list(found)
