"""Formulas drawn at random, held against their own generated tests, and in C against plain torch.

    python benchmarks/drawn.py [--seed S] [--seconds T] [--rows] [--depth D]

A formula has the operations that losses have, in their domains: what is positive is built of what
is positive, a probability of probabilities. What fails is printed with the formula: a fault of
the compiler, or of a test that asks for digits which a formula loses inside one expression: values
a few roundings off are the latter, numbers of another size, NaN and tracebacks the former.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.mutants import calls, claims  # noqa: E402
from lossgen.errors import LossgenError  # noqa: E402
from lossgen.pipeline import source  # noqa: E402
from lossgen.spec import LossSpec  # noqa: E402
from tests.machinery.importing import imported  # noqa: E402
from tests.oracle.loading import generated_test, written  # noqa: E402

ROLES = {"x": "Real", "y": "Real", "v": "Positive", "w": "NonNegative", "p": "Probabilities"}
OPTIONS = {"a": "Positive = 0.7", "g": "NonNegative = 2.0"}
CLAIMS = (
    "test_value", "test_backward_is_the_derivative", "test_single_precision",
    "test_plain_function", "test_second_derivative", "test_empty_batch",
)  # fmt: skip
# What an expression of a kind may be, of others of a kind in braces.
FORMS: dict[str, tuple[str, ...]] = {
    "real": (
        "-{real}", "({real} + {real})", "({real} - {real})", "{real}*{real}", "{prob}*{real}",
        "{real}/{pos}", "log({pos})", "tanh({real})", "log_sigmoid({real})", "({real})**2",
        "where({real} > {real}, {real}, {real})", "Max({real}, {real})", "Min({real}, {real})",
        "sin({real})", "atan({real})", "erf({real})", "{pos}",
    ),
    "pos": (
        "exp({real})", "softplus({real})", "sigmoid({real})", "(1 + {nonneg})", "{pos}/{pos}",
        "sqrt(1 + ({real})**2)", "{pos}*{pos}", "({pos} + {pos})", "({pos})**a", "({pos})**1.5",
    ),
    "nonneg": (
        "Abs({real})", "({real})**2", "sqrt({nonneg})", "Max({real}, 0)", "{pos}", "{prob}",
        "{nonneg}*{nonneg}", "({prob})**g", "(exp({nonneg}) - 1)",
    ),
    "prob": (
        "sigmoid({real})", "(1 - {prob})", "{prob}*{prob}", "exp(-({nonneg}))", "Min({nonneg}, 1)",
    ),
}  # fmt: skip
ROW_FORMS = {"real": ("log_softmax({real}, c)",), "prob": ("softmax({real}, c)",)}
LEAVES = {"real": "xy", "pos": "v", "nonneg": "wvp", "prob": "p"}
ROWS = (
    "return {over}({real}, c)",
    "return Sum({nonneg}, c)/(a + Sum({nonneg}, c))",
    "m = {over}({real}, c)\n    return Sum({real}*m, c)",
    "m = {over}({real}, c)\n    return Sum(sigmoid({real} - m)*{real}, c)",
)


@dataclass
class Draw:
    """Draws formulas."""

    random: random.Random
    rows: bool
    depth: int

    def formula(self) -> str:
        """The lines of a spec's body."""
        if not self.rows:
            return f"return {self.expression('real', self.depth)}"
        shape = self.random.choice(ROWS)
        over = self.random.choice(("Sum", "Mean", "logsumexp", "Amax"))
        return self.filled(shape.replace("{over}", over), self.depth)

    def expression(self, kind: str, depth: int) -> str:
        """One of a kind, of at most so many levels."""
        if depth <= 0 or self.random.random() < 0.15:
            name = self.random.choice(LEAVES[kind])
            return f"{name}[n, c]" if self.rows else f"{name}[e]"
        forms = FORMS[kind] + (ROW_FORMS.get(kind, ()) if self.rows else ())
        return self.filled(self.random.choice(forms), depth - 1)

    def filled(self, form: str, depth: int) -> str:
        """A form with something in each of its braces."""
        return re.sub(r"\{(\w+)\}", lambda found: self.expression(found[1], depth), form)


def spec_of(body: str, name: str) -> LossSpec:
    """A spec whose arguments are what its body names."""
    axes = "[n, c]" if "[n, c]" in body else "[e]"
    named = [f"{x}: {role}{axes}" for x, role in ROLES.items() if f"{x}{axes}" in body]
    options = [f"{x}: {o}" for x, o in OPTIONS.items() if re.search(rf"\b{x}\b", body)]
    arguments = ", ".join([*named, *(["*", *options] if options else [])])
    return written(f'@loss()\ndef {name}({arguments}):\n    "A loss."\n    {body}\n', name)


def faults(spec: LossSpec, folder: Path) -> Iterator[str]:
    """What the generated test refutes, and where the kernel and plain torch differ."""
    module = source(spec, (), "eager").module
    test = generated_test(spec, folder, module=module)
    for claim, function in claims(test):
        for setting in calls(function) if claim in CLAIMS else ():
            try:
                function(**setting)
            except Exception as error:  # an assertion, or whatever the module raises
                yield f"{claim} {setting}: {type(error).__name__} {str(error)[:160]}"
                break
    made = source(spec, (), "c")
    if made.kernels is not None:
        path = folder / f"{spec.name}_c.py"
        path.write_text(made.module, encoding="utf-8")
        path.with_suffix(".c").write_text(made.kernels, encoding="utf-8")
        kernel = imported(f"drawn_{spec.name}", path)
        plain = getattr(test.LOSS, spec.functional_name)
        yield from _apart(spec, plain, getattr(kernel, spec.functional_name))
        if why := kernel._why_not():
            yield f"the kernel was not built: {why[:160]}"


def _apart(
    spec: LossSpec, plain: Callable[..., torch.Tensor], kernel: Callable[..., torch.Tensor]
) -> Iterator[str]:
    draw = torch.Generator().manual_seed(0)
    for shape in ((5, 9), (130, 70)) if len(spec.tensors[0].axes) == 2 else ((7,), (3000,)):
        drawn = {
            t.name: torch.randn(shape, generator=draw, dtype=torch.float64)
            if t.role.name == "Real"
            else torch.rand(shape, generator=draw, dtype=torch.float64)
            for t in spec.tensors
        }
        found = []
        for form in (plain, kernel):
            leaves = {name: x.clone().requires_grad_() for name, x in drawn.items()}
            value = form(**leaves)
            slopes = torch.autograd.grad(
                value, list(leaves.values()), allow_unused=True, materialize_grads=True
            )
            found.append((value.detach(), *slopes))
        try:
            torch.testing.assert_close(*found, rtol=1e-8, atol=1e-10, equal_nan=True)
        except AssertionError as error:
            yield f"in C, {shape}: {' '.join(str(error).split())[:160]}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rows", action="store_true", help="formulas over rows of classes")
    parser.add_argument("--depth", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    draw = Draw(random.Random(options.seed), options.rows, options.depth)
    end = time.perf_counter() + options.seconds
    tried = failed = 0
    while time.perf_counter() < end:
        body = draw.formula()
        try:
            spec = spec_of(body, f"drawn{options.seed}_{tried}")
        except LossgenError:
            continue  # terms that cancel, or nothing to differentiate
        tried += 1
        with tempfile.TemporaryDirectory() as folder:
            try:
                found = list(faults(spec, Path(folder)))
            except Exception:  # a traceback of the compiler's is what is looked for
                found = [traceback.format_exc(limit=-2)]
        if found:
            failed += 1
            print(f"{spec.name}\n    {body}", *found, sep="\n    ", flush=True)
    print(f"{tried} formulas, {failed} with something to look at")


if __name__ == "__main__":
    main()
