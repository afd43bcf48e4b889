"""``lossgen verify``: is the code what the formula says?"""

import click

from lossgen.cli.accuracy import Request, accuracy_options, measured, show_accuracy
from lossgen.cli.options import complete_name, directory_option, project_at
from lossgen.errors import LossgenError


@click.command("verify")
@click.argument("name", shell_complete=complete_name)
@click.option("--json", "as_json", is_flag=True, help="For a program to read.")
@accuracy_options
@directory_option
@click.pass_context
def command(
    ctx: click.Context,
    name: str,
    as_json: bool,
    accuracy: bool,
    only_accuracy: bool,
    seed: int,
    effort: float,
    directory: str,
) -> None:
    """Generate the loss NAME afresh, run its generated test, and say whether it holds.

    Then measure how accurate it is: value and gradient, in every style and dtype.

    NAME is one of the project's own losses or of the catalogue. Nothing is written to the project.
    Exits 0 where it holds, 1 where it does not.
    """
    project = project_at(directory)
    if ":" in name or name.endswith(".py"):
        raise LossgenError(
            f"'{name}' is code, not the name of a loss; names are what `lossgen list` shows."
        )
    path = project.library().path(name)
    import tempfile
    from dataclasses import replace
    from pathlib import Path

    from lossgen.produce import produce, write

    with tempfile.TemporaryDirectory(prefix="lossgen-") as folder:
        output = Path(folder, "generated")
        elsewhere = replace(project, output=output, tests=output / "tests", specs=path.parent)
        (product,) = produce(elsewhere, [name], project.library())
        write(product)
        module, test = elsewhere.module(name), elsewhere.test(name)
        request = Request(accuracy or only_accuracy, only_accuracy, seed, effort)
        told: dict[str, object] = {"name": name}
        holds = True
        if as_json and not request.alone:
            from lossgen.verify.runner import prove

            proof = prove(name, test)
            told, holds = proof.as_dict(), proof.holds
        elif not request.alone:
            from lossgen.cli.report import prove_and_show

            holds = prove_and_show(name, module, test)
        if request.wanted:
            found = measured(project.library().load(name), module, request, quiet=as_json)
            told["accuracy"] = found.as_dict()
            holds = found.sound if request.alone else holds
            if not as_json:
                show_accuracy(found)
        if as_json:
            import json

            click.echo(json.dumps(told, indent=2))
    ctx.exit(0 if holds else 1)
