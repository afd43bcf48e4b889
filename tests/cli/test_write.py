"""Files appear whole or not at all, and a person's file is never replaced unasked."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lossgen.errors import LossgenError
from lossgen.stamp import Stamp, stamped
from lossgen.write import atomic_write, commit, keep_copy, survey

STAMP = Stamp("specs/half.py", "0123456789ab", "half")
OLD = stamped("x = 1  # old\n", STAMP)
NEW = stamped("x = 2  # new\n", STAMP)


def test_a_file_is_written_with_its_folders(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "half.py"
    atomic_write(path, "π\n")
    assert path.read_bytes() == "π\n".encode()
    assert [child.name for child in path.parent.iterdir()] == ["half.py"]


def test_permissions_and_links_are_kept(tmp_path: Path) -> None:
    real, link = tmp_path / "real.py", tmp_path / "link.py"
    real.write_text("old")
    real.chmod(0o640)
    link.symlink_to(real)
    atomic_write(link, "new")
    assert link.is_symlink()
    assert real.read_text() == "new"
    assert real.stat().st_mode & 0o777 == 0o640


def test_a_new_file_has_the_usual_permissions(tmp_path: Path) -> None:
    atomic_write(tmp_path / "ours.py", "x")
    (tmp_path / "theirs.py").write_text("x")
    modes = {(tmp_path / name).stat().st_mode for name in ("ours.py", "theirs.py")}
    assert len(modes) == 1


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("exists", [True, False])
def test_a_full_disk_leaves_everything_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, exists: bool
) -> None:
    path = tmp_path / "half.py"
    if exists:
        path.write_text(OLD)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        with pytest.raises(LossgenError, match=r"half\.py: cannot write: No space left.*Free some"):
            atomic_write(path, NEW)
    assert [child.name for child in tmp_path.iterdir()] == (["half.py"] if exists else [])
    assert not exists or path.read_text() == OLD


def test_a_file_where_a_folder_is_needed(tmp_path: Path) -> None:
    (tmp_path / "generated").write_text("mine")
    with pytest.raises(LossgenError, match="A file stands where a folder is needed"):
        atomic_write(tmp_path / "generated" / "half.py", NEW)
    with pytest.raises(LossgenError, match="A file stands where a folder is needed"):
        survey(tmp_path / "generated" / "half.py", NEW)
    assert (tmp_path / "generated").read_text() == "mine"


def test_a_folder_where_the_file_belongs(tmp_path: Path) -> None:
    (tmp_path / "half.py").mkdir()
    with pytest.raises(LossgenError, match="A folder stands where the file belongs"):
        atomic_write(tmp_path / "half.py", NEW)
    assert not list(tmp_path.glob(".*"))


def test_a_folder_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Raised by hand, for root may write anywhere.
    def refused(self: Path, *_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self))

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(LossgenError, match=r"Permission denied.*permissions, or choose another"):
        atomic_write(tmp_path / "half.py", NEW)


INTERRUPTED = """
import io, os, sys, time
from pathlib import Path
from lossgen.write import atomic_write

path, text, point = Path(sys.argv[1]), sys.argv[2], sys.argv[3]

def stop():
    print("here", flush=True)
    time.sleep(60)

if point == "half-written":
    opened = Path.open
    class Half(io.FileIO):
        def write(self, data):
            super().write(data[: len(data) // 2])
            stop()
    Path.open = lambda self, mode: Half(str(self), mode.replace("b", ""))
elif point == "before the disk has it":
    os.fsync = lambda handle: stop()
elif point == "before it takes the name":
    os.replace = lambda a, b: stop()
else:
    replaced = os.replace
    def late(a, b):
        replaced(a, b)
        stop()
    os.replace = late
atomic_write(path, text)
"""


@pytest.mark.parametrize(
    ("point", "left"),
    [
        ("half-written", OLD),
        ("before the disk has it", OLD),
        ("before it takes the name", OLD),
        ("after it took the name", NEW),
    ],
)
def test_a_kill_leaves_the_old_file_or_the_new(tmp_path: Path, point: str, left: str) -> None:
    path = tmp_path / "half.py"
    path.write_text(OLD)
    child = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, str(path), NEW, point], stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    with child.stdout:
        assert child.stdout.readline() == b"here\n"
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert path.read_text() == left
    atomic_write(path, NEW)  # what the dead process left does not stand in the way
    assert path.read_text() == NEW


def test_readers_never_see_half_a_file(tmp_path: Path) -> None:
    path = tmp_path / "half.py"
    old, new = "old\n" * 50_000, "new\n" * 50_000
    path.write_text(old)
    code = (
        "import sys; from pathlib import Path; from lossgen.write import atomic_write\n"
        "while True: atomic_write(Path(sys.argv[1]), 'new\\n' * 50_000)"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(path)])
    try:
        seen = set()
        end = time.monotonic() + 10
        while "new" not in seen and time.monotonic() < end:
            text = path.read_text()
            assert text in (old, new)
            seen.add(text[:3])
        assert "new" in seen
    finally:
        child.kill()
        child.wait()


@pytest.mark.parametrize(
    ("there", "status", "reason"),
    [
        (None, "missing", ""),
        (NEW, "current", ""),
        (OLD, "outdated", ""),
        (OLD.replace("x = 1", "x = 5"), "edited", "edited after it was generated"),
        (OLD.replace("# old", "# mine"), "edited", "edited after it was generated"),
        (OLD + "def broken(:\n", "edited", "edited after it was generated"),
        ("x = 1\n", "foreign", "not generated by LossGen"),
        ("", "foreign", "not generated by LossGen"),
        (OLD.replace("spec 0123", "spec zzzz"), "foreign", "header is damaged"),
    ],
)
def test_whose_file_it_is(tmp_path: Path, there: str | None, status: str, reason: str) -> None:
    path = tmp_path / "half.py"
    if there is not None:
        path.write_text(there)
    finding = survey(path, NEW)
    assert finding.status == status
    assert reason in finding.reason
    assert finding.blocked == (status in ("edited", "foreign"))
    assert finding.drifted == (status != "current")


def test_bytes_that_are_no_text_are_a_persons(tmp_path: Path) -> None:
    path = tmp_path / "half.py"
    path.write_bytes(b"\xff\xfe\x00")
    assert survey(path, NEW).status == "foreign"


def test_neither_a_formatter_nor_the_tools_version_is_drift(tmp_path: Path) -> None:
    path = tmp_path / "half.py"
    path.write_text(NEW.replace("x = 2", "x  =  (2)").replace("\n", "\r\n"), newline="")
    assert not survey(path, NEW).drifted
    path.write_text(NEW.replace(f"lossgen {STAMP.version}", "lossgen 9.9.9"))
    finding = survey(path, NEW)
    assert (finding.status, finding.drifted) == ("current", False)


def test_another_spec_hash_is_drift(tmp_path: Path) -> None:
    path = tmp_path / "half.py"
    path.write_text(NEW.replace("0123456789ab", "ba9876543210"))
    assert survey(path, NEW).drifted


def test_a_persons_file_is_replaced_only_by_force_and_copied(tmp_path: Path) -> None:
    path = tmp_path / "half.py"
    path.write_text("mine\n")
    with pytest.raises(LossgenError, match="left alone: it was not generated by LossGen"):
        commit(survey(path, NEW))
    assert path.read_text() == "mine\n"
    copy = commit(survey(path, NEW), force=True)
    assert copy == tmp_path / "half.py.orig"
    assert copy.read_text() == "mine\n"
    assert path.read_text() == NEW


def test_earlier_copies_are_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "half.py"
    for number in range(3):
        path.write_text(f"version {number}\n")
        keep_copy(path)
    assert {child.name: child.read_text() for child in tmp_path.glob("*.orig*")} == {
        "half.py.orig": "version 0\n",
        "half.py.orig1": "version 1\n",
        "half.py.orig2": "version 2\n",
    }


def test_a_current_file_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "half.py"
    path.write_text(NEW)
    os.utime(path, (1, 1))
    commit(survey(path, NEW))
    assert path.stat().st_mtime == 1
