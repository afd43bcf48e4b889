"""``lossgen completion``: the script that makes a shell complete commands, options and names."""

import click


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the script that completes commands, options and losses in SHELL.

    \b
    bash:  lossgen completion bash >> ~/.bashrc
    zsh:   lossgen completion zsh >> ~/.zshrc
    fish:  lossgen completion fish > ~/.config/fish/completions/lossgen.fish
    """
    from click.shell_completion import get_completion_class

    from lossgen.cli import cli

    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"click knows no completion for {shell}.")
    click.echo(kind(cli, {}, "lossgen", "_LOSSGEN_COMPLETE").source())
