"""Fills templates.

A template lays out; what it says was decided in Python, and it sees strings, flags and tuples only.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import jinja2

from lossgen.errors import LossgenError
from lossgen.paths import shipped


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
