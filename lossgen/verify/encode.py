"""A report as plain data and back: for ``--json``, and between processes.

Numbers that JSON has not (NaN, infinities) travel as text.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from lossgen.verify.verdict import Check, CounterExample, Difference, Report


def plain_data(value: Any) -> Any:
    """Anything of a report as numbers, text, lists and dictionaries."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain_data(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(k): plain_data(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_data(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)


def report_data(report: Report, *, strict: bool = False) -> dict[str, Any]:
    """A report for a program to read."""
    data: dict[str, Any] = plain_data(report)
    return {
        **data,
        "holds": report.holds,
        "warnings": list(report.warnings),
        "exit_code": report.exit_code(strict=strict),
    }


def report_of(data: Mapping[str, Any]) -> Report:
    """The report that ``plain_data`` made plain."""
    kept = {f.name: data[f.name] for f in fields(Report) if f.name in data}
    example = data.get("counterexample")
    kept["checks"] = tuple(_check(c) for c in data.get("checks", ()))
    kept["counterexample"] = _example(example) if example else None
    for name in ("assumed", "evidence", "diagnoses", "notes"):
        kept[name] = tuple(data.get(name, ()))
    return Report(**kept)


def _check(data: Mapping[str, Any]) -> Check:
    found = tuple(
        Difference(
            **{**d, "got": _number(d["got"]), "want": _number(d["want"]), "size": float(d["size"])}
        )
        for d in data["differences"]
    )
    return Check(**{**data, "differences": found})


def _example(data: Mapping[str, Any]) -> CounterExample:
    lists = {k: tuple(map(_number, data[k])) for k in ("got", "want")}
    lines = {k: tuple(data[k]) for k in ("derivation", "call", "proof")}
    return CounterExample(**{**data, **lists, **lines})


def _number(value: Any) -> float | str:
    if value in ("nan", "inf", "-inf"):
        return float(value)
    return value if isinstance(value, str) else float(value)
