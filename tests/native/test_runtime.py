"""What may go wrong between a C file and its functions: each fault, and what then happens."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import re
import shutil
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from lossgen.backends.c_runtime import IMPORTS, runtime_source

COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
pytestmark = pytest.mark.skipif(COMPILER is None or os.name == "nt", reason="no C compiler")

SOURCE = """\
int answer(void) { return 42 + REAL_IS_DOUBLE; }

int team(int threads)
{
    int members = 0;
#pragma omp parallel num_threads(threads) reduction(+ : members)
    members += 1;
    return members;
}
"""
STANDARD = "\n".join(line for line in IMPORTS if line != "import torch")
MODULE = f'"""A module."""\n\nfrom __future__ import annotations\n\n{STANDARD}\n\nimport torch\n\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A generated module and its C file, with a cache of their own."""
    (tmp_path / "native.py").write_text(MODULE + runtime_source(), encoding="utf-8")
    (tmp_path / "native.c").write_text(SOURCE, encoding="utf-8")
    monkeypatch.setenv("LOSSGEN_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("CC", raising=False)
    return tmp_path


@pytest.fixture
def fresh(folder: Path) -> Callable[[], ModuleType]:
    """The module as another process would have it: nothing loaded yet."""

    def load() -> ModuleType:
        spec = importlib.util.spec_from_file_location("native", folder / "native.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


def answer(module: ModuleType, folder: Path, double: bool = False, *defines: str) -> int | None:
    library = module._kernels(folder / "native.c", double, *defines)
    return None if library is None else int(library.answer())


def compiler(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> Path:
    """``$CC``: a script that notes its calls in the file returned; ``REAL`` is a true compiler."""
    path, notes = folder / "compiler", folder / "notes"
    lines = ["#!/bin/sh", f'echo "$@" >> {notes}', script.replace("REAL", str(COMPILER))]
    path.write_text("\n".join(lines), encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    notes.touch()
    monkeypatch.setenv("CC", str(path))
    return notes


def compilations(notes: Path) -> int:
    return len(re.findall(r" -c ", notes.read_text(encoding="utf-8")))


def kept(folder: Path) -> list[Path]:
    """All that lies in the cache."""
    return sorted((folder / "cache").rglob("*"))


def run(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    """A script in another process, beside the module."""
    head = "import os, sys, threading\nfrom pathlib import Path\nimport torch\nimport native\n"
    text = head + "SOURCE = Path('native.c').absolute()\n" + script
    command = [sys.executable, "-c", text]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=600, check=False
    )


@pytest.fixture
def without_torch(folder: Path) -> None:
    """Processes in the folder start at once: what they import as torch only counts threads."""
    text = "def get_num_threads():\n    return 4\n"
    (folder / "torch.py").write_text(text, encoding="utf-8")


def test_text_is_as_ruff_wants_it(folder: Path) -> None:
    for words in (["check"], ["format", "--check"]):
        command = [sys.executable, "-m", "ruff", *words, "--isolated", "native.py"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_text_passes_mypy(folder: Path) -> None:
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", "", "native.py"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_first_use_compiles_and_later_ones_do_not(
    folder: Path, fresh: Callable[[], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = compiler(folder, monkeypatch, 'exec REAL "$@"')
    module = fresh()
    assert answer(module, folder) == 42
    assert module._why_not() is None
    library = module._kernels(folder / "native.c", False)
    assert library is module._kernels(folder / "native.c", False)
    assert answer(fresh(), folder) == 42
    assert compilations(notes) == 1
    assert len(kept(folder)) == 1


def test_a_later_process_loads_in_20_ms(folder: Path, fresh: Callable[[], ModuleType]) -> None:
    answer(fresh(), folder)
    times = []
    for _ in range(5):
        module, start = fresh(), time.perf_counter()
        assert answer(module, folder) == 42
        times.append(time.perf_counter() - start)
    assert min(times) < 0.02


def test_a_change_of_anything_that_counts_compiles_anew(
    folder: Path, fresh: Callable[[], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = compiler(folder, monkeypatch, 'exec REAL "$@"')
    assert answer(fresh(), folder) == 42
    assert answer(fresh(), folder, True) == 43
    assert answer(fresh(), folder, False, "HALF=1") == 42
    (folder / "native.c").write_text(SOURCE.replace("42", "52"), encoding="utf-8")
    assert answer(fresh(), folder) == 52
    assert compilations(notes) == 4
    os.utime(folder / "compiler", ns=(0, 0))  # another version of it
    assert answer(fresh(), folder) == 52
    assert compilations(notes) == 5
    unlike = fresh()
    monkeypatch.setattr(unlike, "_processor", lambda: "model name: another")
    assert answer(unlike, folder) == 52
    assert compilations(notes) == 6
    assert answer(fresh(), folder) == 52
    assert compilations(notes) == 6


def test_the_processor_is_told_apart_by_what_does_not_change(
    fresh: Callable[[], ModuleType],
) -> None:
    said = fresh()._processor()
    assert said
    assert said == fresh()._processor()
    assert "MHz" not in said
    if "flags" in Path("/proc/cpuinfo").read_text(encoding="utf-8"):
        assert re.search("^flags.* sse2 ", said, re.MULTILINE)


def test_cc_may_have_options(
    folder: Path, fresh: Callable[[], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = compiler(folder, monkeypatch, 'exec REAL "$@"')
    monkeypatch.setenv("CC", f"{folder}/compiler -DWORD=1")
    assert answer(fresh(), folder) == 42
    assert notes.read_text(encoding="utf-8").startswith("-DWORD=1 ")


def test_cc_that_is_not_there_gives_way(
    folder: Path, fresh: Callable[[], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    assert answer(fresh(), folder) == 42


def test_no_compiler(
    folder: Path, fresh: Callable[[], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = fresh()
    monkeypatch.setenv("PATH", str(folder / "nowhere"))
    assert answer(module, folder) is None
    assert module._why_not() == "native.c: no C compiler is there: neither $CC nor cc, gcc, clang"


def test_a_failing_compiler_says_why_and_is_asked_once(
    folder: Path, fresh: Callable[[], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = compiler(folder, monkeypatch, 'echo "licence expired" >&2; exit 3')
    module = fresh()
    assert answer(module, folder) is None
    assert module._why_not() == f"native.c: {folder}/compiler failed: licence expired"
    calls = compilations(notes)
    assert answer(module, folder) is None
    assert compilations(notes) == calls
    assert kept(folder) == []


def test_an_error_in_the_source(folder: Path, fresh: Callable[[], ModuleType]) -> None:
    (folder / "native.c").write_text("int answer(void) { return 1 +; }", encoding="utf-8")
    module = fresh()
    assert answer(module, folder) is None
    assert "native.c" in module._why_not()
    assert "failed" in module._why_not()


def test_no_source(folder: Path, fresh: Callable[[], ModuleType]) -> None:
    (folder / "native.c").unlink()
    module = fresh()
    assert answer(module, folder) is None
    assert "No such file" in module._why_not()


def test_a_function_that_is_nowhere(folder: Path, fresh: Callable[[], ModuleType]) -> None:
    text = "int nowhere(void);\nint answer(void) { return nowhere(); }\n"
    (folder / "native.c").write_text(text, encoding="utf-8")
    module = fresh()
    assert answer(module, folder) is None
    assert "nowhere" in module._why_not()


CLANG = "-fno-tree-pre"  # which it refuses


@pytest.mark.parametrize(
    "refused",
    ["-march=native", "-fopenmp", "-march=native|-fopenmp", CLANG, f"{CLANG}|-fopenmp"],
)
def test_a_compiler_that_does_not_know_a_flag(
    refused: str, folder: Path, fresh: Callable[[], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    script = f'for word; do case "$word" in {refused}) exit 1;; esac; done; exec REAL "$@"'
    compiler(folder, monkeypatch, script)
    module = fresh()
    assert answer(module, folder) == 42
    library = module._kernels(folder / "native.c", False)
    assert library.team(2) == (1 if "-fopenmp" in refused else 2)


def test_an_openmp_that_torchs_does_not_know(
    folder: Path, fresh: Callable[[], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As clang's: the library lacks a function of it; later processes do not build it anew."""
    script = (
        'for word; do case "$word" in -fopenmp) more=-DOTHER;; esac; done; exec REAL "$@" $more'
    )
    notes = compiler(folder, monkeypatch, script)
    text = "#ifdef OTHER\nint nowhere(void);\nint call(void) { return nowhere(); }\n#endif\n"
    (folder / "native.c").write_text(text + SOURCE, encoding="utf-8")
    assert answer(fresh(), folder) == 42
    assert compilations(notes) == 2
    assert answer(fresh(), folder) == 42
    assert compilations(notes) == 2


def test_a_compiler_killed_half_way(
    folder: Path, fresh: Callable[[], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    half = 'for word; do last=$word; done; echo half > "$last"; kill -9 $$'
    compiler(folder, monkeypatch, half)
    module = fresh()
    assert answer(module, folder) is None
    assert module._why_not().endswith("failed: exit code -9")
    assert kept(folder) == []
    monkeypatch.delenv("CC")
    assert answer(fresh(), folder) == 42


def test_a_compiler_that_hangs_is_ended_with_its_children(
    folder: Path, fresh: Callable[[], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler(folder, monkeypatch, f"sleep 300 & echo $! > {folder}/child; wait")
    module = fresh()
    monkeypatch.setattr(module, "_SECONDS", 0.5)
    assert answer(module, folder) is None
    assert "timed out" in module._why_not()
    child = int((folder / "child").read_text(encoding="utf-8"))
    assert _gone(child)
    assert kept(folder) == []


def _gone(process: int) -> bool:
    for _ in range(100):
        try:
            state = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").split()[2]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


def test_a_cache_that_cannot_be_written(
    folder: Path, fresh: Callable[[], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "file").write_text("", encoding="utf-8")
    (folder / "private").mkdir()
    monkeypatch.setenv("LOSSGEN_CACHE", str(folder / "file" / "cache"))
    monkeypatch.setattr("tempfile.tempdir", str(folder / "private"))
    module = fresh()
    assert answer(module, folder) == 42
    assert module._why_not() is None
    assert list((folder / "private").iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write")
def test_a_cache_that_can_only_be_read_is_read(
    folder: Path, fresh: Callable[[], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = compiler(folder, monkeypatch, 'exec REAL "$@"')
    answer(fresh(), folder)
    (folder / "cache").chmod(0o500)
    assert answer(fresh(), folder) == 42
    assert compilations(notes) == 1


def test_neither_cache_nor_private_folder(
    folder: Path, fresh: Callable[[], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("LOSSGEN_CACHE", str(folder / "file" / "cache"))
    monkeypatch.setattr("tempfile.tempdir", str(folder / "file"))
    module = fresh()
    assert answer(module, folder) is None
    assert "Not a directory" in module._why_not()


def _cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _flipped(data: bytes) -> bytes:
    return data[:700] + bytes([data[700] ^ 1]) + data[701:]


def _nothing(data: bytes) -> bytes:
    return b""


@pytest.mark.usefixtures("without_torch")
@pytest.mark.parametrize("damage", [_cut, _flipped, _nothing])
def test_a_damaged_library_is_built_anew(
    damage: Callable[[bytes], bytes], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = compiler(folder, monkeypatch, 'exec REAL "$@"')
    script = "print(native._kernels(SOURCE, False).answer())"
    assert run(folder, script).stdout == "42\n"
    (library,) = kept(folder)
    whole = library.read_bytes()
    library.write_bytes(damage(whole))
    assert run(folder, script).stdout == "42\n"
    assert compilations(notes) == 2
    assert [path.read_bytes() for path in kept(folder)] == [whole]


@pytest.mark.usefixtures("without_torch")
def test_eight_processes_at_once(folder: Path) -> None:
    script = "import native, pathlib; source = pathlib.Path('native.c').absolute()\n"
    script += "__import__('sys').stdin.read(1)\n"
    script += "print(native._kernels(source, False).answer(), native._why_not())"
    running = [
        subprocess.Popen(
            [sys.executable, "-c", script],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(8)
    ]
    said = [process.communicate("x", timeout=600)[0] for process in running]
    assert said == ["42 None\n"] * 8
    assert all(path.suffix == ".so" for path in kept(folder))
    assert {int(ctypes.CDLL(str(path)).answer()) for path in kept(folder)} == {42}


def test_threads_at_once_compile_once(
    folder: Path, fresh: Callable[[], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = compiler(folder, monkeypatch, 'exec REAL "$@"')
    module, found, gate = fresh(), [], threading.Barrier(8)

    def use() -> None:
        gate.wait()
        found.append(module._kernels(folder / "native.c", False))

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert found[0] is not None
    assert len(set(map(id, found))) == 1
    assert compilations(notes) == 1


OPENMP = """
def mapped():
    return {line.split()[-1] for line in open("/proc/self/maps") if "omp" in line.split("/")[-1]}
torch.set_num_threads(2)
torch.ones(1 << 20).exp().sum()
before = mapped()
print(native._kernels(SOURCE, False).team(2), len(before), before == mapped())
"""


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="tells of no mapped files")
def test_one_openmp_with_torchs(folder: Path) -> None:
    done = run(folder, OPENMP)
    assert done.stdout == "2 1 True\n", done.stdout + done.stderr
    (library,) = kept(folder)
    assert not re.search(rb"lib\w*omp\w*[-.]", library.read_bytes())


def test_without_torchs_openmp_the_systems_is_linked(folder: Path) -> None:
    script = "native._openmp_runtime = lambda: None\nlibrary = native._kernels(SOURCE, False)\n"
    done = run(folder, script + "print(library.team(2), native._why_not())")
    assert done.stdout == "2 None\n", done.stdout + done.stderr


FORK = """
child = os.fork()
if child == 0:
    library = native._kernels(SOURCE, False)
    os._exit(library.team(native._threads()))
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), native._threads())
"""
USED = "assert native._kernels(SOURCE, False).team(4) == 4"
HELD = """
held = threading.Event()
def hold():
    with native._Native.lock:
        held.set()
        threading.Event().wait(60)
threading.Thread(target=hold, daemon=True).start()
held.wait()
"""
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")


@needs_fork
@pytest.mark.usefixtures("without_torch")
@pytest.mark.parametrize("before", [USED, HELD], ids=["after use", "while another thread compiles"])
def test_a_forked_child_does_not_hang(before: str, folder: Path) -> None:
    done = run(folder, before + FORK)
    assert done.stdout == "1 4\n", done.stdout + done.stderr


@needs_fork
def test_nor_does_one_after_torchs_own_threads(folder: Path) -> None:
    threads = "torch.set_num_threads(4)\ntorch.ones(1 << 22).exp().sum()\n"
    done = run(folder, threads + USED + FORK)
    assert done.stdout == "1 4\n", done.stdout + done.stderr


def test_windows_is_told_so(
    folder: Path, fresh: Callable[[], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    module, source = fresh(), folder / "native.c"
    with monkeypatch.context() as patch:
        patch.setattr(os, "name", "nt")
        library = module._kernels(source, False)
    assert library is None
    assert module._why_not() == "native.c: kernels in C are not built on Windows"
