"""``lossgen show``: what a loss is."""

import click

from lossgen.cli.options import complete_name, directory_option, project_at, shown
from lossgen.paths import shipped


@click.command("show")
@click.argument("name", shell_complete=complete_name)
@click.option("--latex", "as_latex", is_flag=True, help="Value and gradient as LaTeX.")
@click.option("--json", "as_json", is_flag=True, help="For a program to read.")
@click.option("--program", "as_program", is_flag=True, help="The statements it is compiled to.")
@directory_option
def command(name: str, as_latex: bool, as_json: bool, as_program: bool, directory: str) -> None:
    """Show the formula of NAME, its gradient, what it takes and what it returns."""
    if as_latex + as_json + as_program > 1:
        raise click.UsageError("--latex, --json and --program are three views: choose one.")
    library = project_at(directory).library()
    spec = library.load(name)
    from lossgen import describe

    if as_latex:
        value, gradient = describe.latex(spec)
        click.echo(f"{value}\n{gradient}")
    elif as_json:
        import json

        click.echo(json.dumps(describe.as_json(spec), indent=2))
    elif as_program:
        click.echo(describe.program_text(spec))
    else:
        from lossgen.cli.sheet import show_sheet

        path = library.path(name)
        shared = path.parent.resolve() == shipped("specs").resolve()
        show_sheet(spec, "catalogue" if shared else shown(path), *describe.latex(spec))
