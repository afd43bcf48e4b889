"""The other backends' accuracy beside the eager one's: the same points, the same exact results.

Run: ``python benchmarks/accuracy_backends.py [NAME …] [--backend c] [--effort E] [--seed S]``.
Writes ``benchmarks/results/accuracy-BACKEND.md`` after each loss when no names are given. Measured
is the functional form, unreduced, as ``lossgen verify`` measures it, with second derivatives left
out: those are the eager form's.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from lossgen.accuracy.cases import pointwise  # noqa: E402
from lossgen.accuracy.generated import load  # noqa: E402
from lossgen.accuracy.measuring import Style, measure  # noqa: E402
from lossgen.accuracy.report import number  # noqa: E402
from lossgen.accuracy.results import Accuracy, Measured  # noqa: E402
from lossgen.config import BACKENDS  # noqa: E402
from lossgen.pipeline import render_losses  # noqa: E402
from lossgen.spec import LossSpec, load_spec  # noqa: E402

DTYPES = ("float64", "float32", "bfloat16")
QUANTITIES = ("value", "gradient")
HEAD = """\
# Accuracy of the backend `{backend}`

torch {torch}; CPU; seed {seed}, effort {effort:g}. The functional form of the backend beside the
eager one, on the same points. Cells are the worst error in units in the last place, and after the
dot how many numbers are beyond a bar (8 ulp for values and 16 for gradients of elementwise losses,
16 and 32 over an axis, or that many ulp of the terms where a formula cancels; for bfloat16 within
1 ulp of the rounded float32 result). How to read errors: [accuracy.md](accuracy.md).

{summary}

| loss | dtype | value: {backend} | value: eager | gradient: {backend} | gradient: eager |
| --- | --- | ---: | ---: | ---: | ---: |
"""


def compare(spec: LossSpec, backend: str, seed: int, effort: float) -> Accuracy | str:
    """Both forms' errors, or why the loss is left out."""
    (made,) = render_losses([spec], backends={spec.name: backend})
    if backend == "c" and made.kernels is None:
        return made.note
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{spec.name}.py"
        path.write_text(made.module, encoding="utf-8")
        if made.kernels is not None:
            path.with_suffix(".c").write_text(made.kernels, encoding="utf-8")
        theirs = load(path)
        eager = load(ROOT / "generated" / f"{spec.name}.py")
        options: dict[str, Any] = {"reduction": "none"}
        styles = [
            Style(name, getattr(module, spec.functional_name), options, items=True)
            for name, module in ((backend, theirs), ("eager", eager))
        ]
        found = measure(spec, styles, seed, effort, DTYPES)
        if backend == "c" and (why := theirs._why_not()):
            return f"no kernel: {why}"
    return found


def of(found: Accuracy, style: str, dtype: str, quantity: str) -> Measured | None:
    """The errors of one form."""
    for m in found.measured:
        if (m.style, m.dtype, m.quantity) == (style, dtype, quantity):
            return m
    return None


def cell(m: Measured | None) -> str:
    """The worst error, and how many break a bar."""
    if m is None:
        return ""
    broken = sum(m.verdicts.get(word, 0) for word in ("breaks", "conditioned"))
    return number(m.worst) + (f" · {broken}" if broken else "")


def rows(found: Iterable[Accuracy], backend: str) -> list[str]:
    """A row for each loss and dtype."""
    lines = []
    for accuracy in found:
        for dtype in DTYPES:
            cells = [
                cell(of(accuracy, style, dtype, quantity))
                for quantity in QUANTITIES
                for style in (backend, "eager")
            ]
            if any(cells):
                lines.append(f"| {accuracy.name} | {dtype} | {' | '.join(cells)} |")
    return lines


def summary(found: list[Accuracy], backend: str) -> str:
    """How many measurements have nothing beyond a bar, and where the eager form alone has not."""
    pairs = [
        (f"{a.name} {dtype} {quantity}", mine, eager)
        for a in found
        for dtype in DTYPES
        for quantity in QUANTITIES
        if (mine := of(a, backend, dtype, quantity)) and (eager := of(a, "eager", dtype, quantity))
    ]
    own = [name for name, mine, eager in pairs if not mine.holds and eager.holds]
    only = ", ".join(own) if own else "none"
    return (
        f"{len(found)} losses. Nothing beyond a bar: {sum(m.holds for _, m, _ in pairs)} of "
        f"{len(pairs)} measurements of `{backend}`, {sum(e.holds for _, _, e in pairs)} of eager. "
        f"Beyond a bar with `{backend}` alone: {only}. NaN or infinity where the exact result is "
        f"finite: {sum(m.infinite for _, m, _ in pairs)} and {sum(e.infinite for _, _, e in pairs)}"
        " numbers."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--backend", choices=[b for b in BACKENDS if b != "eager"], default="c")
    parser.add_argument("--effort", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=0)
    told = parser.parse_args()
    torch.set_num_threads(1)
    found: list[Accuracy] = []
    left: list[str] = []
    named = told.names or (p.stem for p in (ROOT / "specs").glob("*.py"))
    specs = [load_spec(ROOT / "specs" / f"{name}.py") for name in named]
    # Those over an axis take longest; the page says which are not there yet.
    specs.sort(key=lambda spec: (not pointwise(spec), spec.name))
    for k, spec in enumerate(specs, 1):
        name = spec.name
        result = compare(spec, told.backend, told.seed, told.effort)
        if isinstance(result, str):
            left.append(f"- {name}: {result}")
            print(name, "left out:", result, flush=True)
            continue
        found.append(result)
        print("\n".join([*rows(found[-1:], told.backend), *result.errors[:2]]), flush=True)
        if told.names:
            continue
        head = HEAD.format(
            backend=told.backend,
            torch=torch.__version__,
            seed=told.seed,
            effort=told.effort,
            summary=summary(found, told.backend),
        )
        tail = ["", "## Left out", "", *left] if left else []
        if missing := [spec.name for spec in specs[k:]]:
            tail += ["", "## Not measured", "", f"{', '.join(missing)}."]
        text = head + "\n".join([*rows(found, told.backend), *tail]) + "\n"
        path = ROOT / "benchmarks" / "results" / f"accuracy-{told.backend}.md"
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
