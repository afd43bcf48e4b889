"""``lossgen show``: what a loss is."""

import click

from lossgen.cli.options import complete_name, directory_option, project_at


@click.command("show")
@click.argument("name", shell_complete=complete_name)
@click.option("--latex", "form", flag_value="latex", help="Value and gradient as LaTeX.")
@click.option("--json", "form", flag_value="json", help="For a program to read.")
@click.option("--program", "form", flag_value="program", help="The statements it is compiled to.")
@directory_option
def command(name: str, form: str | None, directory: str) -> None:
    """Show the formula of NAME, its gradient, what it takes and what it returns."""
    spec = project_at(directory).library().load(name)
    from lossgen import describe

    if form == "latex":
        value, gradient = describe.latex(spec)
        click.echo(f"{value}\n{gradient}")
    elif form == "json":
        import json

        click.echo(json.dumps(describe.as_json(spec), indent=2))
    elif form == "program":
        click.echo(describe.program_text(spec))
    else:
        from lossgen.cli.sheet import show_sheet

        show_sheet(spec, *describe.latex(spec))
