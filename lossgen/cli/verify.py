"""``lossgen verify``: is the code what the formula says?"""

import click

from lossgen.cli.options import complete_name, directory_option, project_at
from lossgen.errors import LossgenError


@click.command("verify")
@click.argument("name", shell_complete=complete_name)
@click.option("--json", "as_json", is_flag=True, help="For a program to read.")
@directory_option
@click.pass_context
def command(ctx: click.Context, name: str, as_json: bool, directory: str) -> None:
    """Generate the loss NAME afresh, run its generated test, and say whether it holds.

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
        if as_json:
            import json

            from lossgen.verify.runner import prove

            proof = prove(name, test)
            click.echo(json.dumps(proof.as_dict(), indent=2))
            holds = proof.holds
        else:
            from lossgen.cli.report import prove_and_show

            holds = prove_and_show(name, module, test)
    ctx.exit(0 if holds else 1)
