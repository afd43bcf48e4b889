"""Each test compiles from nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

compile_with = torch.compile


@pytest.fixture(autouse=True)
def _fresh_compiler() -> Iterator[None]:
    torch.compiler.reset()
    yield
    torch.compiler.reset()


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The graphs that are compiled from here on; they run as they are, which spares the C++."""
    seen: list[Any] = []

    def backend(graph: Any, inputs: Any) -> Any:
        seen.append(graph)
        return graph.forward

    def compiled(function: Callable[..., Any], **options: Any) -> Any:
        return compile_with(function, backend=backend, **options)

    monkeypatch.setattr(torch, "compile", compiled)
    return seen
