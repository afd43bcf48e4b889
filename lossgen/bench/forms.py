"""The forms of a loss that are measured: generated, torch's, other packages', compiled.

In: a spec and its generated modules. Out: a ``Form`` for each, and what cannot be had, with the
reason. Imports torch, so imported late.
"""

from __future__ import annotations

import importlib.util
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from lossgen.errors import LossgenError
from lossgen.peers import peers_of, version
from lossgen.spec import LossSpec

FUNCTION = "function"  # the plain function's row
KEPT = "c, memory kept"  # the row of the kernels in C that keep their gradients' memory
_ANY = 2**60  # bytes: whatever the gradients take


@dataclass(frozen=True)
class Form:
    """One way to compute the loss.

    Attributes:
        kind: ``generated``, ``peer`` or ``compiled``.
        fallback: why the last call did not run what the backend is for; None where it did.
        warm: whether it writes its gradients to the memory of earlier ones.
    """

    name: str
    kind: str
    call: Callable[..., Tensor]
    fallback: Callable[[], str | None] = lambda: None
    warm: bool = False


@dataclass(frozen=True, slots=True)
class Skipped:
    """A form that was asked for and cannot be had."""

    name: str
    reason: str


def load(path: Path, label: str) -> ModuleType:
    """Import a generated file under a name of its own, as the compiler of torch needs it.

    Raises:
        LossgenError: where it cannot be imported.
    """
    name = f"_lossgen_bench_{label}_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as fault:  # whatever the file raises as it is imported
        raise LossgenError(f"{path} cannot be imported: {type(fault).__name__}: {fault}") from fault
    return module


def generated(
    spec: LossSpec, modules: Mapping[str, Path], options: Mapping[str, Any], *, keep: bool = False
) -> tuple[list[Form], list[Skipped]]:
    """The plain function, and the functional style of every backend, at their defaults.

    `options` holds those that have none. With `keep`, the kernels in C come a second time, in a
    module of their own that keeps its gradients' memory.
    """
    forms: list[Form] = []
    skipped: list[Skipped] = []
    for backend, path in modules.items():
        try:
            module = load(path, backend)
        except LossgenError as fault:
            skipped.append(Skipped(backend, str(fault)))
            continue
        if not forms:
            plain = _at(getattr(module, spec.function_name), options)
            forms.append(Form(FUNCTION, "generated", plain))
        call = _at(getattr(module, spec.functional_name), options)
        why = getattr(module, "_why_not", lambda: None)
        forms.append(Form(backend, "generated", call, why))
        if keep and backend == "c":
            again = load(path, "kept")
            again.keep_gradients(_ANY)
            call = _at(getattr(again, spec.functional_name), options)
            forms.append(Form(KEPT, "generated", call, again._why_not, warm=True))
    return forms, skipped


def others(spec: LossSpec, options: Mapping[str, Any]) -> tuple[list[Form], list[Skipped]]:
    """The same loss of torch and of other packages, at our options, as their users call it."""
    forms: list[Form] = []
    skipped: list[Skipped] = []
    for peer in peers_of(spec.name):
        if any(options.get(name) != value for name, value in peer.options.items()):
            continue
        try:
            with quiet():
                call = peer.load(spec.default_reduction)
        except ImportError as fault:
            skipped.append(Skipped(peer.package, str(fault)))
            continue
        # torch's defaults are ours; what others default to differs.
        told = {} if peer.package == "torch" else dict(options)
        forms.append(Form(f"{peer.package} {version(peer.package)}", "peer", _at(call, told)))
    return forms, skipped


def _at(call: Callable[..., Tensor], options: Mapping[str, Any]) -> Callable[..., Tensor]:
    if not options:
        return call

    def at(**tensors: Tensor) -> Tensor:
        return call(**tensors, **options)

    return at


def compiled(form: Form) -> Form:
    """``torch.compile`` of a form."""
    call: Callable[..., Tensor] = torch.compile(form.call, dynamic=False)
    return Form(f"torch.compile({form.name})", "compiled", call)


@contextmanager
def quiet() -> Iterator[None]:
    """Without the warnings of other packages."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
