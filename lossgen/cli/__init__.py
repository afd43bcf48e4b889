"""The command line: arguments in, text and an exit code out. No logic lives here.

Exit codes: 0 holds, 1 does not hold, 2 cannot be asked (usage, broken spec). A command's module is
imported when the command is called, so that ``lossgen --help`` costs little more than click itself.
"""

import errno
import gc
import io
import sys
from importlib import import_module
from typing import Any, NoReturn

import click

from lossgen import __version__
from lossgen.errors import LossgenError, suggest

# name -> (module of this package that holds it as `command`, what the overview says of it)
COMMANDS = {
    "new": ("new", "Make a loss: its spec, its code, its test, proven."),
    "generate": ("generate", "Regenerate code from specs, or check it."),
    "verify": ("verify", "Prove or refute a loss."),
    "bench": ("bench", "Measure a loss: time, memory, error, the limit."),
    "show": ("show", "Show a loss: formula, gradient, arguments."),
    "list": ("catalogue", "List the losses there are."),
    "completion": ("completion", "Print the completion script of a shell."),
}

# What a command imports that an installation may have lost.
NEEDED = ("torch", "numpy", "sympy", "mpmath", "jinja2", "rich", "pytest")


class CannotBeAsked(click.ClickException):
    """A :class:`LossgenError` on its way to the terminal."""

    exit_code = 2


class Commands(click.Group):
    """The commands: imported late, with suggestions, and LossGen's errors as exit code 2."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands, in the order of the overview."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        command = import_module(f"lossgen.cli.{COMMANDS[cmd_name][0]}").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the overview without importing any command."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or fail with the nearest one's name."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            ctx.fail(f"No such command {args[0]!r}. {suggest(args[0], COMMANDS)}".rstrip())
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except LossgenError as fault:
            raise CannotBeAsked(str(fault)) from fault
        except KeyboardInterrupt:
            click.echo("\nInterrupted.", err=True)
            ctx.exit(130)  # as shells say; 1 would say that the loss does not hold


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 holds, 1 does not hold, 2 cannot be asked.",
)
@click.version_option(__version__, prog_name="lossgen")
def cli() -> None:
    """One formula in, proven PyTorch out.

    Start with: lossgen new dice
    """


def main() -> NoReturn:
    """Run the command line and leave the process with its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what a terminal has no sign for is no fault
            stream.reconfigure(errors="replace")
    gc.disable()  # the process is over soon, and looking for cycles would take a tenth of its time
    try:
        cli(prog_name="lossgen")
    except Exception as fault:
        if excuse := _excuse(fault):
            click.echo(f"Error: {excuse}", err=True)
            raise SystemExit(2) from None
        import traceback

        traceback.print_exc()
        click.echo(
            "\nThis is a fault of LossGen, not yours: please report it with the lines above.",
            err=True,
        )
        raise SystemExit(2) from None  # 1 would say that the loss does not hold
    raise SystemExit(0)


def _excuse(fault: Exception) -> str:
    """What to say of a fault of the machine rather than of LossGen."""
    if isinstance(fault, OSError) and fault.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"cannot write: {fault.strerror}. Free some space and run the command again."
    if isinstance(fault, ModuleNotFoundError) and fault.name in NEEDED:
        return f"{fault.name} is not installed here. Install it: pip install {fault.name}"
    return ""
