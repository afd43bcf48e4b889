"""Torch's own losses hold: no false alarm. What torch gets wrong beside the formula is listed."""

from __future__ import annotations

import pytest
from torch.nn import functional as F

import lossgen
from lossgen.verify.checks import CHECKS
from tests.parity.losses import LOSSES

# Defects of torch 2.13 that docs/verdicts.md explains, by the check that finds them.
KNOWN = {
    "l1": "torch.compile",
    "huber": "mixed precision",
    "binary_cross_entropy": "half precision",
    "multilabel_margin": "torch.compile",
    "poisson_nll": "half precision",
    "soft_margin": "extreme values",
}

# Broadcast without a word where torch's other losses warn or refuse.
SILENT = ("poisson_nll", "multilabel_soft_margin")

EVERY = pytest.mark.parametrize("name", LOSSES)


def all_but(name: str) -> tuple[str, ...]:
    """Every check but the first and one more."""
    return tuple(x for x in CHECKS if x not in ("runs", name))


def skipped(name: str) -> tuple[str, ...]:
    return (*((KNOWN[name],) if name in KNOWN else ()), *(("shapes",) if name in SILENT else ()))


@EVERY
def test_torchs_function_holds(name: str) -> None:
    skip = {"torch.compile", "large tensors", *skipped(name)}
    lossgen.assert_holds(LOSSES[name].function, name, strict=True, skip=tuple(skip))


@pytest.mark.slow
@EVERY
def test_torchs_function_and_module_pass_every_check(name: str) -> None:
    lossgen.assert_holds(LOSSES[name].function, name, strict=True, skip=skipped(name))
    lossgen.assert_holds(LOSSES[name].module, name, strict=True, skip=skipped(name))


@EVERY
def test_shapes_that_do_not_fit_are_told_by_most(name: str) -> None:
    report = lossgen.verify(LOSSES[name].function, name, skip=all_but("shapes"))
    assert report.exit_code() == 0
    assert report.exit_code(strict=True) == (name in SILENT)
    assert bool(report.warnings) == (name in SILENT)


@pytest.mark.parametrize("name", ["cross_entropy", "nll", "kl_div", "multi_margin"])
def test_a_single_sample_without_its_batch_axis_is_asked_too(name: str) -> None:
    report = lossgen.verify(LOSSES[name].function, name, skip=all_but("unbatched input"))
    assert [c.status for c in report.checks if c.name == "unbatched input"] == ["holds"]


def test_probability_targets_are_asked_too() -> None:
    report = lossgen.verify(F.cross_entropy, "cross_entropy", skip=all_but("probability targets"))
    assert [c.status for c in report.checks if c.name == "probability targets"] == ["holds"]


@pytest.mark.parametrize("name", KNOWN)
def test_the_defects_are_still_there(name: str) -> None:
    """Torch may repair them: then the table above shrinks."""
    costly = {"torch.compile", "large tensors"} - {KNOWN[name]}
    report = lossgen.verify(LOSSES[name].function, name, skip=tuple(costly))
    assert report.verdict == "does not hold"
    assert [c.name for c in report.checks if c.status == "fails"] == [KNOWN[name]]
