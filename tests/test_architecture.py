"""Imports run one way along the line that data walks, and in no circle."""

import ast
import re
from pathlib import Path

import pytest

import lossgen

PACKAGE = Path(lossgen.__file__).parent

# A module may import modules of its own row and of earlier rows. A package stands for its modules.
ROWS = (
    ("lossgen", "brackets", "errors", "literals", "paths"),
    ("roles",),
    ("nodes", "masking", "derivatives"),
    ("body", "limits", "notation"),
    ("language",),
    ("axes", "spec"),
    ("library",),
    ("static", "learned"),
    ("program",),
    ("branches",),
    ("stabilize",),
    ("lower",),
    ("retained", "differentiate", "factoring", "keep", "recording", "sharing"),
    ("schedule", "compiled"),
    ("mathdoc", "page"),
    ("backends", "docs"),
    ("formatting", "render"),
    ("scalartext", "subscripts", "oracle"),
    (
        "testlengths",
        "testthresholds",
        "testscores",
        "testsamples",
        "symmetry",
        "testoptions",
        "testrefusals",
        "testcases",
    ),
    ("testtexts", "testsignatures", "testpage"),
    ("describe", "pipeline"),
    ("stamp", "mathtext"),
    ("config", "write", "starter"),
    ("produce",),
    ("peers",),
    ("verify", "accuracy"),
    ("bench",),
    ("cli",),
    ("__main__",),
)
RANK = {name: rank for rank, row in enumerate(ROWS) for name in row}

# The oracle of the generated tests must not lean on what it judges.
COMPILER = {"stabilize", "program", "lower", "differentiate", "schedule", "compiled", "backends"}


def modules() -> dict[str, Path]:
    return {
        ".".join(("lossgen", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(
            ".__init__"
        ): path
        for path in sorted(PACKAGE.rglob("*.py"))
        if "_data" not in path.parts
    }


MODULES = modules()


def imports(name: str) -> set[str]:
    """Return the modules of ours that `name` imports, at its top or inside a function."""
    assert name in MODULES, f"{name} is imported but does not exist"
    found = set()
    for node in ast.walk(ast.parse(MODULES[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: write imports absolutely"
            base = node.module or ""
            inner = {f"{base}.{alias.name}" for alias in node.names}
            found |= inner & MODULES.keys() or {base}
    return {module for module in found if module.partition(".")[0] == "lossgen"} - {name}


def part(name: str) -> str:
    """Return what stands for `name` in ROWS."""
    return name.split(".")[1] if "." in name else name


@pytest.mark.parametrize("name", MODULES)
def test_imports_run_one_way(name: str) -> None:
    assert part(name) in RANK, f"give {name} a row in ROWS"
    for imported in imports(name):
        if part(imported) != part(name):
            assert RANK[part(imported)] <= RANK[part(name)], f"{name} imports {imported}"


def test_there_is_no_cycle() -> None:
    graph = {name: imports(name) for name in MODULES}
    left = dict(graph)
    while True:
        leaves = {name for name, needs in left.items() if not needs & left.keys()}
        if not leaves:
            break
        left = {name: needs for name, needs in left.items() if name not in leaves}
    assert left == {}


@pytest.mark.parametrize("name", ["lossgen.oracle", "lossgen.testpage", "lossgen.accuracy.judging"])
def test_the_oracle_shares_nothing_with_the_compiler(name: str) -> None:
    seen: set[str] = set()
    waiting = {name} & MODULES.keys()
    assert waiting
    while waiting:
        module = waiting.pop()
        seen.add(module)
        waiting |= imports(module) - seen
    assert not {part(module) for module in seen} & COMPILER


def test_most_modules_are_short() -> None:
    lengths = {name: path.read_text(encoding="utf-8").count("\n") for name, path in MODULES.items()}
    long = {name: length for name, length in lengths.items() if length > 300}
    assert len(long) <= len(lengths) / 5, long


@pytest.mark.parametrize(
    "path", sorted((PACKAGE.parent / "templates").rglob("*.jinja")), ids=lambda path: path.name
)
def test_templates_lay_out_and_decide_nothing(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 400
    for tag in re.findall(r"{[{%](.*?)[%}]}", text, re.DOTALL):
        for word in (" set ", "namespace", "isinstance", "issubclass", " * ", " / ", "**", "//"):
            assert word not in tag, tag
