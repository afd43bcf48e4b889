"""Asks a question in a process of its own, and holds it to its time.

In: a ``Request``. Out: a ``Report``; code that hangs, crashes or eats all memory gets one too, and
what was refuted before that stays refuted. What held before it hung holds so far.
Neither torch nor SymPy is imported here.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import IO, Any

from lossgen.errors import LossgenError
from lossgen.verify.encode import report_of
from lossgen.verify.request import Request
from lossgen.verify.verdict import Report

GRACE = 0.5  # seconds beyond the limit; the process itself stops a little before it


def supervise(request: Request, progress: Callable[[str], None]) -> Report:
    """Answer a request within its time limit.

    Raises:
        LossgenError: where the question cannot be asked; the text says what to do.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "lossgen.verify.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(asdict(request)))
    process.stdin.close()
    try:
        return _listen(process, request, progress)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def _listen(
    process: subprocess.Popen[str], request: Request, progress: Callable[[str], None]
) -> Report:
    assert process.stdout is not None
    messages: queue.Queue[dict[str, Any] | None] = queue.Queue()
    threading.Thread(target=_read, args=(process.stdout, messages), daemon=True).start()
    start, doing = time.monotonic(), "starting"
    standing: Report | None = None
    while True:
        left = start + request.time_limit + GRACE - time.monotonic()
        try:
            message = messages.get(timeout=max(left, 0.01))
        except queue.Empty:
            text = f"It did not come back within {request.time_limit:g} s (in: {doing})."
            if standing is not None and standing.holds:
                return _held(standing, text, time.monotonic() - start)
            return _cut_short(request, standing, text, time.monotonic() - start)
        if message is None:
            code = process.wait()
            text = f"The process in which it ran ended with exit code {code} (in: {doing})."
            standing = None if standing is None or standing.holds else standing
            return _cut_short(request, standing, text, time.monotonic() - start)
        if "progress" in message:
            doing = message["progress"]
            progress(doing)
        elif "standing" in message:
            standing = report_of(message["standing"])
        elif "error" in message:
            raise LossgenError(message["error"])
        elif "fault" in message:
            raise RuntimeError(message["fault"])
        else:
            return report_of(message["report"])


def _read(stream: IO[str], messages: queue.Queue[dict[str, Any] | None]) -> None:
    for line in stream:
        try:
            messages.put(json.loads(line))
        except ValueError:
            continue
    messages.put(None)


def _held(standing: Report, reason: str, seconds: float) -> Report:
    """A yes as far as the time went: what was compared before holds."""
    told = f"but {reason[0].lower()}{reason[1:]} What comes after was not asked."
    return replace(standing, reason=told, seconds=round(seconds, 2))


def _cut_short(request: Request, standing: Report | None, reason: str, seconds: float) -> Report:
    """What is known at the end: a refutation that stood by then, or nothing."""
    if standing is not None:
        notes = (*standing.notes, reason)
        return replace(standing, notes=notes, seconds=round(seconds, 2))
    return Report(
        target=request.target,
        formula=request.formula or request.expr or "",
        verdict="cannot be asked",
        reason=reason,
        seed=request.seed,
        seconds=round(seconds, 2),
    )
