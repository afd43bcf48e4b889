"""From a generated module and its test to a :class:`Proof`: the test, run and counted.

In: two files. Out: what pytest found, check by check. The run is a process of its own with none of
the user's pytest settings, plugins or conftest files, and leaves nothing behind.
"""

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from xml.etree import ElementTree

from lossgen.errors import LossgenError

_SETTINGS = """\
[pytest]
addopts = -p no:cacheprovider -o junit_family=xunit2 -o junit_duration_report=call -q --tb=short
"""

# A plugin of pytest's: what the module says of kernels that it could not use.
_UNUSED = """\
from pathlib import Path

def pytest_sessionfinish(session):
    for item in session.items[:1]:
        functional = getattr(item.module, "functional", None)
        why_not = getattr(functional, "__globals__", {}).get("_why_not")
        if why_not is not None:
            Path(__file__).with_name("unused.txt").write_text(why_not() or "", "utf-8")
"""


@dataclass(frozen=True, slots=True)
class Failure:
    """One case that does not hold."""

    case: str
    message: str


@dataclass(frozen=True, slots=True)
class Check:
    """One check of a proof: a test function with all its cases."""

    name: str
    passed: int
    failed: int
    skipped: int
    seconds: float
    failures: tuple[Failure, ...] = ()


@dataclass(frozen=True, slots=True)
class Proof:
    """What was checked of one loss, and whether all of it holds.

    Attributes:
        unused: why the kernels beside the module, if there are any, were not what was checked.
    """

    name: str
    checks: tuple[Check, ...]
    seconds: float
    unused: str = ""

    @property
    def holds(self) -> bool:
        """Whether something was checked and nothing failed."""
        return self.passed > 0 and self.failed == 0

    @property
    def passed(self) -> int:
        """How many cases hold."""
        return sum(check.passed for check in self.checks)

    @property
    def failed(self) -> int:
        """How many cases do not hold."""
        return sum(check.failed for check in self.checks)

    def as_dict(self) -> dict[str, object]:
        """Return plain data for ``--json``."""
        return {**asdict(self), "holds": self.holds, "passed": self.passed, "failed": self.failed}


def prove(name: str, test: Path) -> Proof:
    """Run the generated test of `name`.

    Raises:
        LossgenError: where the test cannot be run at all.
    """
    with tempfile.TemporaryDirectory(prefix="lossgen-") as folder:
        settings = Path(folder, "pytest.ini")
        settings.write_text(_SETTINGS, encoding="utf-8")
        Path(folder, "unused_kernels.py").write_text(_UNUSED, encoding="utf-8")
        results, unused = Path(folder, "results.xml"), Path(folder, "unused.txt")
        command = [
            *(sys.executable, "-m", "pytest", "-c", str(settings), "--rootdir", folder),
            *("--noconftest", "--import-mode=importlib", f"--junitxml={results}"),
            *("-p", "unused_kernels"),
            str(test.resolve()),
        ]
        start = time.perf_counter()
        done = subprocess.run(
            command,
            cwd=folder,
            env=_environment(folder),
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.perf_counter() - start
        if done.returncode not in (0, 1, 2) or not results.is_file():
            told = (done.stdout + done.stderr).strip().splitlines()[-15:]
            raise LossgenError(
                f"{test}: pytest could not run it (exit code {done.returncode}). "
                "Try it yourself: python -m pytest " + str(test) + "\n" + "\n".join(told)
            )
        said = unused.read_text(encoding="utf-8") if unused.is_file() else ""
        return Proof(name, _checks(results), seconds, said)


def _environment(folder: str) -> dict[str, str]:
    unwanted = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS")
    kept = {key: value for key, value in os.environ.items() if key not in unwanted}
    path = os.pathsep.join(filter(None, (folder, kept.get("PYTHONPATH"))))
    own = {"PYTHONDONTWRITEBYTECODE": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return {**kept, **own, "PYTHONPATH": path}


def _checks(results: Path) -> tuple[Check, ...]:
    cases: dict[str, list[ElementTree.Element]] = {}
    for case in ElementTree.parse(results).iter("testcase"):
        cases.setdefault(case.get("name", "").partition("[")[0], []).append(case)
    return tuple(_check(name, members) for name, members in cases.items())


def _reasons(text: str) -> list[str]:
    """The lines of pytest's report that say what was raised."""
    return [line[1:].strip() for line in text.splitlines() if line.startswith("E ")]


def _check(name: str, cases: list[ElementTree.Element]) -> Check:
    failures = []
    skipped = 0
    for case in cases:
        broken = [*case.iter("failure"), *case.iter("error")]
        if broken:
            text = broken[0].get("message") or broken[0].text or "failed"
            if not case.get("classname"):  # the file could not be read: pytest says where below
                text = "\n".join(_reasons(broken[0].text or "")) or text
            failures.append(Failure(case.get("name", name), text.strip()))
        elif case.find("skipped") is not None:
            skipped += 1
    return Check(
        name=name.removeprefix("test_").replace("_", " "),
        passed=len(cases) - len(failures) - skipped,
        failed=len(failures),
        skipped=skipped,
        seconds=round(sum(float(case.get("time", 0)) for case in cases), 3),
        failures=tuple(failures),
    )
