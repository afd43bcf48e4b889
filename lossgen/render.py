"""Fills templates.

A template lays out; what it says was decided in Python, and it sees strings, flags and tuples only.
"""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import jinja2

from lossgen.errors import LossgenError
from lossgen.paths import shipped


def filled(template: str, templates: Sequence[Path] = (), **values: object) -> str:
    """Return a template with these values in it.

    Raises:
        LossgenError: where the user's own template is wrong; the text names its file and line.
    """
    available = environment(templates)
    try:
        return available.get_template(template).render(**values)
    except Exception as error:
        place = _place(error, templates)
        if not place:  # one of ours, and so a fault of ours
            raise
        raise LossgenError(f"{place}: the template is wrong: {error}") from error


def _place(error: Exception, folders: Sequence[Path]) -> str:
    """The innermost line of the user's own templates that an error came from."""
    places = [(x.filename, x.lineno) for x in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, jinja2.TemplateSyntaxError) and error.filename:
        places.append((error.filename, error.lineno))
    for file, line in reversed(places):
        if any(Path(file).is_relative_to(folder) for folder in folders):
            return f"{file}:{line}"
    return ""


def environment(templates: Sequence[Path] = ()) -> jinja2.Environment:
    """The shipped templates, overridden by those of the same name in the user's folders.

    Raises:
        LossgenError: where one of those folders is missing.
    """
    for folder in templates:
        if not folder.is_dir():
            raise LossgenError(
                f"{folder}: there is no such folder of templates. "
                "Create it, or correct `templates` in pyproject.toml."
            )
    return _environment((*templates, shipped("templates")))


@cache
def _environment(folders: tuple[Path, ...]) -> jinja2.Environment:
    # Compiling the templates costs more than filling them: once for a whole catalogue.
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader([str(folder) for folder in folders]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
