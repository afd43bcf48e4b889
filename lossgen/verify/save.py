"""A counter-example as a pytest file that stands alone: torch, pytest and the code in question."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from lossgen.errors import LossgenError
from lossgen.verify.verdict import CounterExample, Report

_HEAD = '''"""{target} differs from {formula}: found by `lossgen verify`, seed {seed}."""

{imports}import torch

{load}

def test_{name}() -> None:
'''


def saved(report: Report, folder: Path | None = None) -> str:
    """The text of a test that fails as long as the code is wrong.

    Args:
        report: with a counter-example.
        folder: where the test will lie; None for this one.

    Raises:
        LossgenError: where there is no counter-example that a file can hold.
    """
    example = report.counterexample
    if example is None or not (example.call or example.proof):
        raise LossgenError("There is no counter-example in numbers to save.")
    body = _body(example)
    imports, load = _loading(_built(report.target, body), folder or Path())
    if any("types.SimpleNamespace(" in line for line in body):
        head, _, rest = imports.rpartition("from pathlib")
        imports = f"{head}import types\nfrom pathlib{rest}" if head else "import types\n\n"
    name = re.sub(r"\W+", "_", report.target.rpartition(":")[2]).strip("_").lower()
    head = _HEAD.format(
        target=report.target,
        formula=report.formula,
        seed=report.seed,
        imports=imports,
        load=load,
        name=name,
    )
    return head + "".join(f"    {line}\n" if line else "\n" for line in body)


def _built(target: str, lines: list[str]) -> str:
    """The target, or of a method the class: the lines make an instance of that."""
    owner, _, method = target.rpartition(".")
    return owner if any(f"made.{method}(" in line for line in lines) else target


def _loading(target: str, folder: Path) -> tuple[str, str]:
    place, _, name = target.rpartition(":")
    if not place.endswith(".py"):
        outer = name.partition(".")[0]
        return "", f"from {place} import {outer}\n\ncode = {name}\n"
    lines = [
        f"path = (Path(__file__).parent / {_from(folder, Path(place))!r}).resolve()",
        "sys.path.insert(0, str(path.parent))",
        'spec = importlib.util.spec_from_file_location("code_in_question", path)',
        "assert spec is not None and spec.loader is not None",
        "module = importlib.util.module_from_spec(spec)",
        "spec.loader.exec_module(module)",
        f"code = module.{name}",
    ]
    return "import importlib.util\nimport sys\nfrom pathlib import Path\n\n", "\n".join(
        lines
    ) + "\n"


def _from(folder: Path, path: Path) -> str:
    """The way from a folder to a file, so that both can be moved together."""
    try:
        return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
    except ValueError:  # another drive of Windows
        return path.resolve().as_posix()


def _body(example: CounterExample) -> list[str]:
    if example.proof:
        return list(example.proof)
    lines = list(example.call)
    kind, _, name = example.what.partition(" of ")
    tolerance = "rtol=1e-3, atol=1e-6" if example.dtype != "float64" else "rtol=1e-6, atol=1e-9"
    if kind == "value":
        lines.append("got = result.detach().flatten()")
    elif kind == "gradient":
        lines += [
            "weights = [((7 * k + 5) % 17 - 8.5) / 8 for k in range(result.numel())]",
            "seed = torch.tensor(weights, dtype=result.dtype).view(result.shape)",
            "result.backward(seed)",
            f"assert {name}.grad is not None",
            f"got = {name}.grad.flatten()",
        ]
    elif kind == "shape":
        text = str(example.want[0]).removeprefix("shape ")
        return [*lines, f"assert list(result.shape) == {text}"]
    else:
        return _behaviour(lines, str(example.got[0]))
    want = _literal([float(x) for x in example.want])
    lines.append(f"want = torch.tensor({want}, dtype=got.dtype)")
    lines.append(f"torch.testing.assert_close(got, want, {tolerance})")
    return lines


def _behaviour(lines: list[str], text: str) -> list[str]:
    """Lines that fail as long as the code behaves as the text says."""
    calls = [k for k, line in enumerate(lines) if line.startswith("result = ")]
    if text.startswith("raises"):
        return [*lines, "result.sum().backward()"]
    if "no gradient" in text:
        return [*lines, "assert result.requires_grad"]
    if text.startswith("changes its input"):
        name = text.split()[3]
        before = f"before = {name}.detach().clone()"
        after = f"assert torch.equal({name}.detach(), before)"
        return [*lines[: calls[0]], before, *lines[calls[0] :], after]
    if "called again" in text:
        again = [lines[k].replace("result", "again") for k in calls]
        return [*lines, *again, "assert torch.equal(result, again)"]
    raise LossgenError(f"No test is written for code that {text}; the report has the numbers.")


def _literal(values: list[Any]) -> str:
    shown = [f'float("{x}")' if x != x or abs(x) == float("inf") else repr(x) for x in values]
    return f"[{', '.join(shown)}]"
