"""The development loop in one word: ``python tasks.py check`` and ``python tasks.py regen``.

check   everything that must hold before a commit: lint, then test
lint    ruff, mypy, and that generated/ is what specs/ gives
test    the tests; further words go to pytest: python tasks.py test tests/cli -x
regen   accept: generate everything anew, sort imports, format
"""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

_RUFF = (sys.executable, "-m", "ruff")
_LOSSGEN = (sys.executable, "-m", "lossgen")

_MODULES = sorted(Path("generated").glob("*.py"))

_LINT: tuple[tuple[str, ...], ...] = (
    (*_RUFF, "check"),
    (*_RUFF, "format", "--check"),
    # What users get, under ruff's own defaults: no setting of this project helps it to pass.
    (*_RUFF, "check", "--isolated", *map(str, _MODULES)),
    # A test lives for one run: caches on methods and closures over loop variables are its idiom.
    (*_RUFF, "check", "--isolated", "--ignore", "B008,B019,B023,PLR0133,RUF059", "generated/tests"),
    (*_RUFF, "format", "--isolated", "--check", "generated"),
    (sys.executable, "-m", "mypy"),
    (sys.executable, "-m", "mypy", "--strict", "--config-file", "", *map(str, _MODULES)),
    (*_LOSSGEN, "generate", "--check"),
)
_TEST = (sys.executable, "-m", "pytest", "-n", "auto")
_REGEN: tuple[tuple[str, ...], ...] = (
    (*_RUFF, "check", "--fix", "--quiet"),
    (*_RUFF, "format", "--quiet"),
    (*_LOSSGEN, "generate", "--force"),
)


def main(words: Sequence[str]) -> int:
    """Run a task and return its exit code."""
    task, *rest = words or ["help"]
    match task:
        case "check":
            return _run([*_LINT, _TEST])
        case "lint":
            return _run(_LINT)
        case "test":
            return _run([(*_TEST, *rest)])
        case "regen":
            return _run(_REGEN)
    print(__doc__)
    return 0 if task in ("help", "-h", "--help") else 2


def _run(commands: Sequence[Sequence[str]]) -> int:
    """Run every command, also after a failure, and say at the end which of them failed."""
    failed = []
    for command in commands:
        words = " ".join(word for word in command[1:] if "/" not in word).removeprefix("-m ")
        print(f"\n$ {words}", flush=True)
        if subprocess.run(command, check=False).returncode:
            failed.append(words)
    for words in failed:
        print(f"failed: {words}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
