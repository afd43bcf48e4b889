"""``lossgen verify``: is the code what the formula says?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lossgen.cli.accuracy import Request, accuracy_options, measured, show_accuracy
from lossgen.cli.options import complete_name, directory_option, project_at, shown
from lossgen.verify.request import is_target

if TYPE_CHECKING:
    from lossgen.config import Project
    from lossgen.produce import Product


@click.command("verify")
@click.argument("target", shell_complete=complete_name)
@click.option(
    "--spec",
    metavar="NAME",
    help="The formula: of the catalogue, the project, or a file.",
    shell_complete=complete_name,
)
@click.option("--expr", metavar="FORMULA", help="The formula, as one line of mathematics.")
@click.option(
    "--param", "params", metavar="NAME=VALUE", multiple=True, help="A parameter of --expr."
)
@click.option(
    "--tensor", "tensors", metavar="NAME:ROLE", multiple=True, help="What a tensor of --expr holds."
)
@click.option(
    "--map",
    "mapped",
    metavar="OURS=THEIRS",
    multiple=True,
    help="Whose argument is whose, the formula's first: target=labels.",
)
@click.option(
    "--set",
    "held",
    metavar="NAME=VALUE",
    multiple=True,
    help="An option of the formula or the code, held there: smooth=1e-5.",
)
@click.option(
    "--pass",
    "passed",
    metavar="TENSOR=HOW",
    multiple=True,
    help="How the code takes a tensor: sigmoid, softmax, one_hot, index, channels_last, …",
)
@click.option(
    "--size",
    "sizes",
    metavar="AXIS=N",
    multiple=True,
    help="A size that an axis has: c=4, s=2x3; s=none for no trailing axes.",
)
@click.option("--reduction", metavar="NAME", help="What the code computes: none, mean or sum.")
@click.option(
    "--result",
    default="",
    metavar="HOW",
    help="What is taken of its answer: first, 1, KEY, .ATTRIBUTE, negative.",
)
@click.option(
    "--skip", metavar="CHECK", multiple=True, help="A check to leave out, as named in the report."
)
@click.option(
    "--time-limit", default=60.0, show_default=True, metavar="SECONDS", help="For all of it."
)
@click.option(
    "--strict",
    is_flag=True,
    help="Exit 1 also where digits are missing or a check warns.",
)
@click.option("--json", "as_json", is_flag=True, help="For a program to read.")
@accuracy_options
@click.option("--junit", metavar="FILE", help="Write JUnit XML as well.")
@click.option("--save", metavar="FILE", help="Write a pytest file of the counter-example.")
@directory_option
@click.pass_context
def command(
    ctx: click.Context,
    /,
    target: str,
    directory: str,
    as_json: bool,
    accuracy: bool,
    only_accuracy: bool,
    effort: float,
    seed: int,
    **told: object,
) -> None:
    """Prove or refute TARGET: a loss by name, or anybody's code.

    \b
    lossgen verify dice                              the project's or the catalogue's
    lossgen verify package.module:DiceLoss --spec dice
    lossgen verify path/file.py:Model.loss --expr "abs(input - target)"

    A name is generated afresh (a file that you edited stays as it is), its generated test run, and
    its accuracy measured: value and gradient, in every style and dtype. Code is imported and
    called, in a process of its own, and compared with the formula: value, gradient, second
    derivative, extremes, precisions, transforms. Nothing is written to the project.
    Exits 0 where it holds, 1 where it does not, 2 where it cannot be asked.
    """
    if only_accuracy and not accuracy:
        raise click.UsageError("--only-accuracy and --no-accuracy leave nothing: choose one.")
    if is_target(target):
        from lossgen.cli.verify_code import verify_code

        answer = verify_code(target, directory, as_json=as_json, seed=seed, **told)  # type: ignore[arg-type]
        ctx.exit(answer)
    _refuse(told)
    request = Request(accuracy or only_accuracy, only_accuracy, seed, effort)
    ctx.exit(0 if _by_name(target, directory, as_json, request) else 1)


def _refuse(told: dict[str, object]) -> None:
    given = [name for name, value in told.items() if value and name not in ("time_limit", "strict")]
    if given:
        raise click.UsageError(
            "These options are about code: give a target, package.module:name or file.py:name."
        )


def _by_name(name: str, directory: str, as_json: bool, request: Request) -> bool:
    project = project_at(directory)
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
        edited = _edited(project, product)
        told: dict[str, object] = {"name": name, "edited": edited}
        holds = True
        if as_json and not request.alone:
            from lossgen.verify.runner import prove

            proof = prove(name, test)
            told, holds = {**told, **proof.as_dict()}, proof.holds
        elif not request.alone:
            from lossgen.cli.report import prove_and_show

            holds = prove_and_show(name, module, test, kept=False)
            if not holds and edited and project.test(name).is_file():
                click.echo(f"See all of it: python -m pytest {shown(project.test(name))}")
        if request.wanted and holds:
            found = measured(project.library().load(name), module, request, quiet=as_json)
            told["accuracy"] = found.as_dict()
            holds = found.sound if request.alone else holds
            if not as_json:
                show_accuracy(found)
        if as_json:
            import json

            click.echo(json.dumps(told, indent=2))
    return holds


def _edited(project: Project, product: Product) -> list[str]:
    """Put what somebody edited in place of what was generated afresh, and say so: that is asked.

    A file that is merely older than its spec is named, and what the spec gives is proven.
    """
    from lossgen.write import survey

    edited = []
    for fresh in (product.module, product.kernels):
        if fresh is None:
            continue
        there = survey(project.output / fresh.path.name, fresh.text)
        if there.status == "edited":
            fresh.path.write_bytes(there.path.read_bytes())
            edited.append(shown(there.path))
            note = f"{there.reason}, and is asked about as it is. Compare: lossgen generate --check"
            click.secho(f"{shown(there.path)}: {note}", fg="yellow", err=True)
        elif there.status == "outdated" and there.drifted:
            note = "older than its spec, whose code is proven. Write it: lossgen generate"
            click.secho(f"{shown(there.path)}: {note} {product.name}", fg="yellow", err=True)
    return edited
