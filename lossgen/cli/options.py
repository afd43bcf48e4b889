"""What several commands share: options, completion of names, and words for files."""

import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from lossgen.config import Project, load_project
from lossgen.errors import LossgenError


def directory_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--directory``."""
    return click.option(
        "--directory",
        "-C",
        metavar="FOLDER",
        default=".",
        help="The project's folder, instead of this one.",
    )(command)


def project_at(directory: str, backend: str | None = None, *, make: bool = False) -> Project:
    """Return the project of ``--directory``, with the backend of ``--backend`` if one is given.

    Raises:
        LossgenError: where there is no such folder, unless the command is to `make` it.
    """
    if not make and not Path(directory).is_dir():
        raise LossgenError(f"--directory {directory}: there is no such folder.")
    project = load_project(Path(directory))
    return project if backend is None else replace(project, backend=backend)


def typed(words: str, directory: str) -> str:
    """Return a command to type, with ``--directory`` where one was given."""
    return f"lossgen {words}" + ("" if directory == "." else f" -C {shlex.quote(directory)}")


def complete_name(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Complete a loss's name in the shell: the project's own and the catalogue's."""
    names = project_at(ctx.params.get("directory") or ".").library().names()
    return [name for name in names if name.startswith(incomplete)]


def complete_own(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Complete the name of one of the project's own specs in the shell."""
    names = project_at(ctx.params.get("directory") or ".").own().names()
    return [name for name in names if name.startswith(incomplete)]


def complete_family(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Complete a family of losses in the shell."""
    entries = project_at(ctx.params.get("directory") or ".").library().entries()
    return sorted({x.family for x in entries if x.family.startswith(incomplete)} - {""})


def shown(path: Path) -> str:
    """Return `path` as it is typed from the working folder."""
    from lossgen.paths import relative

    text = relative(path, Path.cwd())
    return path.as_posix() if text.startswith("../../..") else text
