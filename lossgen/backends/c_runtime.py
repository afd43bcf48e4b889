"""What every module of the C backend ends with: compiling, loading, and what these need imported.

In: nothing. Out: Python text, the same for every module, and the import lines it needs; the text
stands in ``templates/c_runtime.py.jinja``. It refuses nothing.
"""

from __future__ import annotations

from lossgen.paths import shipped

IMPORTS = (
    "import ctypes",
    "import hashlib",
    "import os",
    "import platform",
    "import re",
    "import shlex",
    "import shutil",
    "import signal",
    "import subprocess",
    "import tempfile",
    "import threading",
    "from collections.abc import Iterator",
    "from pathlib import Path",
    "from typing import ClassVar",
    "import torch",
)


def runtime_source() -> str:
    """The text that defines ``_kernels``, ``_why_not`` and ``_threads``."""
    return (shipped("templates") / "c_runtime.py.jinja").read_text(encoding="utf-8")
