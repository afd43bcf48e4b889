"""Our own grid against torch: what its samples leave out, judged as they are."""

from __future__ import annotations

import pytest

from tests.parity.compare import first_differences
from tests.parity.grid import grid_cases
from tests.parity.losses import LOSSES


@pytest.mark.parametrize("loss", LOSSES)
def test_value_and_every_gradient_equal_torch(loss: str) -> None:
    cases = grid_cases(loss)
    assert len(cases) >= 12
    found = first_differences(cases)
    assert not found, "\n".join(found)
