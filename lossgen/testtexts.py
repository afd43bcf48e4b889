"""Samples and cases as lines of a generated test.

In: rows.  Out: the calls that construct them, without what is left at its default.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from lossgen.testcases import CaseRow
from lossgen.testsamples import SampleRow


def sample_text(row: SampleRow, manners: Collection[str]) -> str:
    """A tensor's sample as the test constructs it."""
    shown = [repr(row.kind), repr(row.axes), repr(row.shape)]
    defaults = SampleRow("", "", (), ())
    names = ["low", "high", "extremes", "classes", "marked", "optional", "broadcast"]
    names += ["measured"] * ("long" in manners) + ["classes_at"] * ("confident" in manners)
    for name in names:
        if getattr(row, name) != getattr(defaults, name):
            shown.append(f"{name}={getattr(row, name)!r}")
    return f"Sample({', '.join(shown)})"


def case_text(row: CaseRow, formula_name: str, table: str) -> str:
    """A case as the test constructs it."""
    shown = [formula_name, table]
    for name in ("manner", "options", "given", "shapes", "start"):
        setting = getattr(row, name)
        if setting and setting != "plain":
            shown.append(f"{name}={_value_text(setting)}")
    return f"Case({', '.join(shown)})"


def _value_text(setting: Any) -> str:
    """As ``repr``, but with an infinity as Python can read it."""
    if isinstance(setting, dict):
        return "{" + ", ".join(f"{k!r}: {_value_text(v)}" for k, v in setting.items()) + "}"
    if isinstance(setting, float) and abs(setting) == float("inf"):
        return f'float("{setting}")'
    return repr(setting)
