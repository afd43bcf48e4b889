"""Short spec texts for the tests of the language, and what reading them gives."""

from collections.abc import Callable
from typing import Any

import pytest

from lossgen.errors import SpecError
from lossgen.pipeline import module_source
from lossgen.spec import LossSpec, read_spec

HEAD = "from lossgen.language import *\n\n\n"


def spec_text(body: str, arguments: str = "input: Real[n, c], target: Real[n, c]") -> str:
    """A spec whose body starts on line 7."""
    lines = "\n    ".join(body.strip().splitlines())
    return f'{HEAD}@loss()\ndef tried({arguments}):\n    """Tried."""\n    {lines}\n'


def read(body: str, arguments: str = "input: Real[n, c], target: Real[n, c]") -> LossSpec:
    return read_spec(spec_text(body, arguments), "tried", "specs/tried.py")


def faults_of(text: str, name: str = "tried") -> list[str]:
    """Every fault of a spec's text, as printed."""
    with pytest.raises(SpecError) as caught:
        read_spec(text, name, "specs/tried.py")
    return str(caught.value).splitlines()


def faults(body: str, arguments: str = "input: Real[n, c], target: Real[n, c]") -> list[str]:
    return faults_of(spec_text(body, arguments))


def fault(body: str, arguments: str = "input: Real[n, c], target: Real[n, c]") -> str:
    """The one fault of a spec, without its file: ``7: message``."""
    found = faults(body, arguments)
    assert len(found) == 1, found
    return found[0].removeprefix("specs/tried.py:")


def functions(text: str, name: str = "tried") -> dict[str, Any]:
    """The generated module of a spec's text, run."""
    namespace: dict[str, Any] = {"__name__": name}
    source = module_source(read_spec(text, name, f"specs/{name}.py"))
    exec(compile(source, f"{name}.py", "exec"), namespace)
    return namespace


def unreduced(body: str, arguments: str) -> Callable[..., Any]:
    """The functional form of a spec, which gives every item."""
    made = functions(spec_text(body, arguments))["tried_loss"]
    return lambda *args, **options: made(*args, **options, reduction="none")
