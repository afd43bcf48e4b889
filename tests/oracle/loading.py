"""Loads the generated test of a spec, beside a module that stands in for the generated one."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from lossgen.spec import LossSpec, load_spec, read_spec
from lossgen.testpage import test_source

ROOT = Path(__file__).resolve().parents[2]
SPECS = ROOT / "specs"
_STAND_IN = """
import torch
from torch.nn import functional as F
def {function}(**arguments): return {torch_name}(**arguments)
def {functional}(**arguments): return {torch_name}(**arguments)
class {class_name}(torch.nn.Module): pass
"""


def shipped(name: str) -> LossSpec:
    """A spec of the catalogue."""
    return load_spec(SPECS / f"{name}.py")


def written(text: str, name: str) -> LossSpec:
    """A spec from a few lines, with the language imported."""
    return read_spec(f"from lossgen.language import *\n{text}", name, f"specs/{name}.py")


def generated_test(
    spec: LossSpec, folder: Path, torch_name: str = "F.mse_loss", module: str = ""
) -> ModuleType:
    """The generated test as a module.

    The loss that it finds is torch's function of that name, or the source of a module.
    """
    stand_in = _STAND_IN.format(
        function=f"{spec.function_name}_plain"
        if spec.function_name == spec.functional_name
        else spec.function_name,
        functional=spec.functional_name,
        class_name=spec.class_name,
        torch_name=torch_name,
    )
    (folder / "tests").mkdir(exist_ok=True)
    (folder / f"{spec.name}.py").write_text(module or stand_in, encoding="utf-8")
    path = folder / "tests" / f"test_{spec.name}.py"
    path.write_text(test_source(spec), encoding="utf-8")
    found = importlib.util.spec_from_file_location(f"oracle_test_{spec.name}", path)
    assert found is not None
    assert found.loader is not None
    test = importlib.util.module_from_spec(found)
    sys.modules[found.name] = test
    found.loader.exec_module(test)
    return test
