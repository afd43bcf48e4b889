"""A loss on one screen of the terminal. Imports rich, so imported late."""

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from lossgen.spec import LossSpec


def show_sheet(spec: LossSpec, place: str, value: str, gradient: str) -> None:
    """Print what `spec` is and where it lies, with its value and gradient as LaTeX."""
    console = Console(highlight=False)
    console.print(Text(f"{spec.name}", style="bold"), Text(f"({place})"))
    console.print(Text(spec.summary))
    for paragraph in spec.description.split("Args:")[0].split("\n\n"):
        if paragraph.strip():
            console.print(Padding(Text(" ".join(paragraph.split())), (1, 0, 0, 0)))
    for title, text in (("Value", value), ("Gradient", gradient)):
        console.print(Text(f"\n{title}", style="bold"))
        for line in text.splitlines():
            # Wrapped by the terminal if at all: a line of LaTeX is there to be copied.
            console.print(Text(f"  {line}"), soft_wrap=True)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("argument", "role", "shape or default", "values"):
        table.add_column(column)
    for tensor in spec.tensors:
        shape = "[" + ", ".join(map(str, tensor.axes)) + "]"
        shape += " or None" if tensor.optional else ""
        table.add_row(*map(Text, (tensor.name, tensor.role.name, shape, tensor.role.domain)))
    for option in spec.parameters:
        default = "required" if option.default is None else repr(option.default)
        table.add_row(*map(Text, (option.name, option.role.name, default, option.role.domain)))
    console.print()
    console.print(table)
    forms = f"{spec.function_name}(), {spec.functional_name}(), {spec.class_name}"
    console.print(Text(f"\nForms: {forms}"))
    if spec.reference:
        console.print(Text(f"After: {spec.reference}"))
