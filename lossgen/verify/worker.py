"""The process in which code that is not ours runs: ``python -m lossgen.verify.worker``.

In: a ``Request`` as JSON on standard input. Out: one JSON object a line on the original standard
output: progress, a refutation as soon as it stands, then a report or an error. Whatever the code
prints goes elsewhere, and is told.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from dataclasses import replace
from typing import IO, Any

from lossgen.errors import LossgenError


def main() -> None:
    """Answer one request."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    asked = json.load(sys.stdin)
    with tempfile.TemporaryFile() as printed:
        os.dup2(printed.fileno(), 1)
        # Warnings, torch's own among them, are not the code's words.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        _send(channel, _answer(asked, channel, printed))
        channel.flush()
        # Threads and exit handlers of the code are not waited for.
        os._exit(0)


def _answer(asked: dict[str, Any], channel: IO[str], printed: IO[bytes]) -> dict[str, Any]:
    try:
        _send(channel, {"progress": "loading torch and the formula"})
        from lossgen.verify.api import verify_request
        from lossgen.verify.encode import plain_data
        from lossgen.verify.request import Request

        request = Request(**asked)
        report = verify_request(
            request,
            lambda text: _send(channel, {"progress": text}),
            lambda found: _send(channel, {"standing": plain_data(found)}),
        )
        text = _printed(printed)
        if text:
            report = replace(report, notes=(*report.notes, f"the code prints: {text}"))
        return {"report": plain_data(report)}
    except LossgenError as error:
        return {"error": str(error)}
    except SystemExit as error:
        return {"error": f"The code ends the process: SystemExit({error.code})."}
    except BaseException:
        import traceback

        return {"fault": traceback.format_exc()}


def _send(channel: IO[str], message: dict[str, Any]) -> None:
    channel.write(json.dumps(message) + "\n")
    channel.flush()


def _printed(printed: IO[bytes]) -> str:
    sys.stdout.flush()
    printed.seek(0)
    text = printed.read(2000).decode("utf-8", "replace").strip()
    first = text.splitlines()[0] if text else ""
    return first[:80] + (" …" if len(text) > len(first) or len(first) > 80 else "")


if __name__ == "__main__":
    main()
