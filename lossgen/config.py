"""``[tool.lossgen]`` of the user's pyproject.toml, read once into one frozen :class:`Project`.

::

    [tool.lossgen]
    specs = "specs"                 # where specs are read and `new` puts them
    output = "generated"            # where the modules go
    tests = "generated/tests"       # where their tests go
    backend = "eager"
    templates = ["my_templates"]    # folders searched before the shipped templates

Every key is optional. Folders are relative to the pyproject.toml that holds the table: the nearest
one upwards from the working folder. Without one, the working folder itself is the project.
"""

from dataclasses import dataclass
from pathlib import Path

from lossgen.errors import LossgenError, suggest
from lossgen.library import Library
from lossgen.paths import relative, shipped

BACKENDS = ("eager", "compile", "c", "triton")


@dataclass(frozen=True, slots=True)
class Project:
    """Where a project keeps its specs, and how it wants its code.

    Without a ``backend`` a file that is there keeps the one it was written for; a new one is eager.
    """

    root: Path
    specs: Path
    output: Path
    tests: Path
    backend: str | None = None
    templates: tuple[Path, ...] = ()

    def library(self) -> Library:
        """Return the project's specs, and behind them the catalogue."""
        return Library([self.specs, shipped("specs")])

    def own(self) -> Library:
        """Return the project's specs alone."""
        return Library([self.specs])

    def module(self, name: str) -> Path:
        """Return where the generated module of `name` goes."""
        return self.output / f"{name}.py"

    def kernels(self, name: str, ending: str = ".c") -> Path:
        """Return where the kernels beside the module of `name` go."""
        return self.output / f"{name}{ending}"

    def test(self, name: str) -> Path:
        """Return where the generated test of `name` goes."""
        return self.tests / f"test_{name}.py"

    def label(self, path: Path) -> str:
        """Return `path` relative to the project, as headers and messages show it."""
        return relative(path, self.root)


def load_project(start: Path) -> Project:
    """Return the project that `start` lies in.

    Raises:
        LossgenError: where the table is broken; the text names the file and the key.
    """
    start = start.resolve()
    for folder in (start, *start.parents):
        source = folder / "pyproject.toml"
        table = _table(source) if source.is_file() else None
        if table is not None:
            return _project(folder, table, source)
    return _project(start, {}, start / "pyproject.toml")


def _table(source: Path) -> dict[str, object] | None:
    try:
        text = source.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        raise LossgenError(f"{source}: cannot be read: {fault}.") from fault
    if "lossgen" not in text:  # spares most projects the TOML parser
        return None
    import tomllib

    try:
        table = tomllib.loads(text).get("tool", {}).get("lossgen")
    except tomllib.TOMLDecodeError as fault:
        raise LossgenError(f"{source}: is not valid TOML: {fault}.") from fault
    if table is not None and not isinstance(table, dict):
        raise LossgenError(f"{source}: [tool.lossgen] must be a table.")
    return table


def _project(root: Path, table: dict[str, object], source: Path) -> Project:
    known = ("specs", "output", "tests", "backend", "templates")
    for key in table:
        if key not in known:
            hint = suggest(key, known) or f"Known are {', '.join(known)}."
            raise LossgenError(f"{source}: [tool.lossgen] has no key '{key}'. {hint}")

    def words(key: str) -> list[str]:
        value = table.get(key, [])
        if isinstance(value, list) and all(isinstance(word, str) for word in value):
            return value
        raise LossgenError(f"{source}: [tool.lossgen] {key} must be a list of strings.")

    def word(key: str, default: str) -> str:
        value = table.get(key, default)
        if isinstance(value, str) and value:
            return value
        raise LossgenError(f"{source}: [tool.lossgen] {key} must be a string.")

    def folder(key: str, value: str) -> Path:
        if Path(value).is_absolute():
            raise LossgenError(
                f"{source}: [tool.lossgen] {key} = '{value}' must be relative to {root}, "
                "so that the project gives the same files on every machine."
            )
        return root / value

    def choice(key: str, value: str, allowed: tuple[str, ...]) -> str:
        if value in allowed:
            return value
        hint = suggest(value, allowed) or f"Known are {', '.join(allowed)}."
        raise LossgenError(f"{source}: [tool.lossgen] {key} has no '{value}'. {hint}")

    output = word("output", "generated")
    project = Project(
        root=root,
        specs=folder("specs", word("specs", "specs")),
        output=folder("output", output),
        tests=folder("tests", word("tests", f"{output}/tests")),
        backend=choice("backend", word("backend", "eager"), BACKENDS)
        if "backend" in table
        else None,
        templates=tuple(folder("templates", value) for value in words("templates")),
    )
    for key, path in (("output", project.output), ("tests", project.tests)):
        if path.resolve() == project.specs.resolve():
            raise LossgenError(
                f"{source}: [tool.lossgen] {key} and specs are the same folder, "
                "so a module would overwrite its own spec. Give them two."
            )
    return project
