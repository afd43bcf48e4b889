"""From names to files: load, render, stamp, compare, write. The command line's one way to files.

In: a :class:`~lossgen.config.Project` and names of its specs. Out: per loss, a finding for each
file (module, test, and the kernels that some backends put beside the module), first compared and
only then committed, so that ``--check`` and writing share all but the last step.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lossgen import __version__
from lossgen.config import BACKENDS, Project
from lossgen.errors import Fault, LossgenError, SpecError
from lossgen.library import Library
from lossgen.paths import relative
from lossgen.stamp import Stamp, stamped
from lossgen.write import Finding, commit, read_generated, survey

if TYPE_CHECKING:
    from lossgen.nodes import Letter
    from lossgen.spec import LossSpec


@dataclass(frozen=True, slots=True)
class Product:
    """One loss's generated files, compared with what is on the disk."""

    name: str
    module: Finding
    test: Finding
    kernels: Finding | None = None
    notes: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[Finding, ...]:
        """The module, what stands beside it, and its test."""
        beside = () if self.kernels is None else (self.kernels,)
        return self.module, *beside, self.test


def produce(project: Project, names: Sequence[str], library: Library) -> list[Product]:
    """Render the losses called `names` and compare them with the disk; write nothing.

    Raises:
        SpecError: with the faults of every one of those specs.
        LossgenError: where a name is unknown or the project's settings cannot be met.
    """
    specs, faults = [], list[Fault]()
    for name in names:
        try:
            specs.append(library.load(name))
        except SpecError as broken:
            faults += broken.faults
    if faults:
        raise SpecError(faults)
    from lossgen.pipeline import render_losses

    products = []
    backends = {spec.name: _backend(project, spec.name) for spec in specs}
    made = render_losses(specs, project.templates, backends)
    others = {*library.names()}
    for spec, rendered in zip(specs, made, strict=True):
        beside = project.kernels(spec.name, rendered.ending)
        if rendered.kernels is not None and beside in map(project.module, others - {spec.name}):
            raise LossgenError(
                f"The kernels of '{spec.name}' and the loss '{beside.stem}' would be one file, "
                f"{project.label(beside)}. Give the loss '{beside.stem}' another name."
            )
        stamp = Stamp(
            spec=project.label(project.specs / f"{spec.name}.py"),
            spec_hash=spec.source_hash,
            name=spec.name,
            backend=backends[spec.name],
        )
        products.append(
            Product(
                name=spec.name,
                module=survey(project.module(spec.name), stamped(rendered.module, stamp)),
                test=survey(
                    project.test(spec.name),
                    stamped(_placed(project, spec.name, rendered.test), stamp),
                ),
                notes=tuple(filter(None, (rendered.note, _crossed(spec)))),
                kernels=None
                if rendered.kernels is None
                else survey(
                    beside,
                    stamped(rendered.kernels, stamp, "//" if rendered.ending == ".c" else "#"),
                ),
            )
        )
    return products


def _crossed(spec: LossSpec) -> str:
    """What to say where items are pairs along one axis, as a mistyped letter makes them."""
    from lossgen.nodes import free_letters

    first: dict[Letter, Letter] = {}
    for letter in sorted(
        free_letters(spec.item), key=lambda x: (x not in spec.axes.values(), str(x))
    ):
        axis = spec.axes[letter]
        if axis in first:
            return (
                f"'{first[axis]}' and '{letter}' both run over axis '{axis}', so each pair is an "
                "item of the loss. Where that is not meant, write one letter for both"
            )
        first[axis] = letter
    return ""


def _backend(project: Project, name: str) -> str:
    """The backend asked for, or else the one that the file on the disk was written for."""
    if project.backend:
        return project.backend
    stamp = read_generated(project.module(name))
    if stamp is None:
        return "eager"
    if stamp.backend not in BACKENDS:
        raise LossgenError(
            f"{project.label(project.module(name))} was written for the backend "
            f"'{stamp.backend}', which this version does not have. Choose one of "
            f"{', '.join(BACKENDS)} with --backend."
        )
    return stamp.backend


def _placed(project: Project, name: str, test: str) -> str:
    """Return a test that finds its module where this project keeps it: by default one folder up."""
    usual = f'.parents[1] / "{name}.py"'
    place = relative(project.module(name), project.tests)
    if place == f"../{name}.py":
        return test
    if test.count(usual) != 1:
        raise LossgenError(
            f"The template of the tests does not say '{usual}' once, so [tool.lossgen] tests = "
            f"'{project.label(project.tests)}' cannot be followed. Put the tests into "
            f"'{project.label(project.output / 'tests')}'."
        )
    return test.replace(usual, f'.parent / "{place}"')


def write(product: Product, *, force: bool = False) -> list[tuple[Finding, Path | None]]:
    """Write a loss's files, all or none, and return each with the copy kept of a person's file.

    Raises:
        LossgenError: where a person's work is in the way of one and `force` is off.
    """
    blocked = [finding for finding in product.files if finding.blocked]
    if blocked and not force:
        raise LossgenError("\n".join(f"{file.path}: {file.reason}" for file in blocked))
    return [(finding, commit(finding, force=force)) for finding in product.files]


def difference(project: Project, finding: Finding) -> str:
    """Return the unified diff from the file on the disk to what belongs there."""
    import difflib

    label = project.label(finding.path)
    old = finding.old.replace("\r\n", "\n")
    version = re.search(r"^(?:#|//) @generated by lossgen (\S+) from", old, re.MULTILINE)
    text = finding.text
    if version:  # the tool's version is no drift
        text = text.replace(f"lossgen {__version__} from", f"lossgen {version[1]} from", 1)
    return "".join(
        difflib.unified_diff(
            old.splitlines(keepends=True),
            text.splitlines(keepends=True),
            f"{label} (on disk)" if old else "/dev/null",
            f"{label} (from the spec)",
        )
    )


def orphans(project: Project, names: Iterable[str]) -> list[Path]:
    """Return generated files that no spec of the project leads to any more."""
    expected = {path for name in names for path in (project.module(name), project.test(name))}
    found = {*project.output.glob("*.py"), *project.tests.glob("*.py")}
    found |= {*project.output.glob("*.c")}
    endings = {"c": ".c", "triton": "_triton.py"}
    for name in names:
        if (ending := endings.get(_backend(project, name))) is not None:
            expected.add(project.kernels(name, ending))
    return sorted(path for path in found - expected if read_generated(path) is not None)
