"""Where the shipped templates and the catalogue of specs lie.

In a checkout they are top-level folders beside the package; in an installed wheel they are inside
it, under ``_data``. The installed place wins, so that an unrelated folder beside site-packages is
never mistaken for ours.
"""

import os
from pathlib import Path

from lossgen.errors import LossgenError

_PACKAGE = Path(__file__).resolve().parent


def shipped(folder: str) -> Path:
    """Return the shipped folder of that name (``templates`` or ``specs``).

    Raises:
        LossgenError: where the installation lacks it.
    """
    places = (_PACKAGE / "_data" / folder, _PACKAGE.parent / folder)
    for place in places:
        if place.is_dir():
            return place
    raise LossgenError(
        f"LossGen's own folder '{folder}' is missing (looked in {places[0]} and {places[1]}). "
        "Reinstall it: pip install --force-reinstall lossgen"
    )


def relative(path: Path, start: Path) -> str:
    """Return `path` as seen from `start`, with forward slashes on every system."""
    try:
        return Path(os.path.relpath(path, start)).as_posix()
    except ValueError:  # another drive on Windows
        return path.as_posix()
