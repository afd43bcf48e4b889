"""What ``lossgen verify`` says of accuracy: its options, progress, table."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from lossgen.accuracy.results import Accuracy
    from lossgen.spec import LossSpec


@dataclass(frozen=True, slots=True)
class Request:
    """Whether accuracy is asked for, alone or beside the proof, and how thoroughly."""

    wanted: bool
    alone: bool
    seed: int
    effort: float


def accuracy_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of the report on accuracy."""
    options = (
        click.option(
            "--accuracy/--no-accuracy",
            "accuracy",
            default=True,
            help="Measure the error in ulp against 50 digits, too (the default).",
        ),
        click.option(
            "--only-accuracy",
            is_flag=True,
            help="Measure, without the proof; exit 1 where a bar of accuracy is broken.",
        ),
        click.option(
            "--seed", type=int, default=0, show_default=True, help="Of the points measured at."
        ),
        click.option(
            "--effort",
            type=click.FloatRange(0, 100, min_open=True),
            default=0.1,
            show_default=True,
            help="How many points: 1 is some thousand for each style and dtype.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def measured(spec: LossSpec, module: Path, request: Request, quiet: bool) -> Accuracy:
    """Measure a generated module; on a terminal say meanwhile what is being measured."""
    from rich.console import Console

    from lossgen.accuracy.generated import measure_module

    console = Console(highlight=False, stderr=True)
    waiting = f"Measuring {spec.name} against 50 digits …"
    shows = console.is_terminal and not quiet
    with console.status(waiting) if shows else nullcontext() as status:

        def progress(text: str) -> None:
            if status is not None:
                status.update(f"{waiting} {text}")

        return measure_module(
            spec, module, seed=request.seed, effort=request.effort, progress=progress
        )


def show_accuracy(accuracy: Accuracy) -> None:
    """Print the table."""
    from rich.console import Console

    from lossgen.accuracy.report import show

    show(accuracy, Console(highlight=False))
