"""Accuracy of every loss of the catalogue, and of the same losses of other packages.

Run: ``python benchmarks/accuracy.py [NAME …] [--effort E] [--seed S] [--part peers|catalogue]
[--keep FOLDER [--no-more]]``. Writes ``benchmarks/results/accuracy.md`` when no names are given
(with ``--part catalogue`` that part of it). What the folder has and has not changed since is not
measured again, so that a run may be cut short, or made of several; ``--no-more`` measures nothing,
takes what has changed since as the folder or the page has it, and tells which losses these are. Of
losses that only the page has, its rows stand; counts and medians, which no row tells, do so too.
Same points and the same exact results for all: errors in ulp against 50 digits, as ``lossgen
verify`` measures them. Packages that are not installed are left out and named.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import kept  # noqa: E402
from lossgen.accuracy.cases import Case  # noqa: E402
from lossgen.accuracy.generated import load, measure_module  # noqa: E402
from lossgen.accuracy.measuring import Style, measure  # noqa: E402
from lossgen.accuracy.report import number  # noqa: E402
from lossgen.accuracy.results import Accuracy, Measured  # noqa: E402
from lossgen.accuracy.settings import Setting, settings  # noqa: E402
from lossgen.peers import DISTRIBUTIONS, PEERS, Peer, version  # noqa: E402
from lossgen.spec import LossSpec, load_spec  # noqa: E402

LIMIT = 2.0
DTYPES = ("float64", "float32", "bfloat16")


@dataclass(frozen=True)
class Against:
    """One loss of ours beside the same one of a package."""

    peer: Peer
    setting: Setting
    accuracy: Accuracy

    def of(self, style: str, dtype: str, quantity: str) -> Measured | None:
        """The errors of one side."""
        for m in self.accuracy.measured:
            if (m.style, m.dtype, m.quantity) == (style, dtype, quantity):
                return m
        return None


@dataclass(frozen=True)
class Compared:
    """What the page says of a comparison: its rows, and where ours is worse."""

    peer: Peer
    rows: tuple[str, ...]
    worse: tuple[str, ...]


@cache
def spec_of(name: str) -> LossSpec:
    """A spec of the catalogue."""
    return load_spec(ROOT / "specs" / f"{name}.py")


def module_of(name: str) -> Path:
    """Its generated module."""
    return ROOT / "generated" / f"{name}.py"


def compare(peer: Peer, seed: int, effort: float, keep: kept.Kept) -> Against:
    """Measure ours and the peer's on the same points.

    Raises:
        ImportError: where the package is missing.
    """
    spec = spec_of(peer.ours)
    theirs = peer.load("none")
    ours = getattr(load(module_of(peer.ours)), spec.functional_name)
    default = settings(spec)[0]
    words = _words(peer)
    setting = Setting({**default.options, **peer.options}, frozenset(), words)
    told = setting.options if peer.package != "torch" else {}
    slopes = frozenset(peer.slopes)
    styles = (
        Style("ours", ours, {"reduction": "none"}, items=True, slopes=slopes),
        # Only what is told apart from the loss's own options reaches torch: its defaults are ours.
        Style("theirs", lambda **given: theirs(**_kept(given, spec, told)), {}, True, slopes),
    )

    def measured() -> Accuracy:
        return measure(
            spec,
            styles,
            seed,
            effort,
            DTYPES,
            chosen=(setting,),
            admits=lambda case: _admits(case, peer),
            formulas=(spec,),
        )

    about = (peer.package, words, seed, effort)
    key = kept.key(peer.ours, about, ("torch", DISTRIBUTIONS[peer.package]))
    return Against(peer, setting, keep.measured(key, measured))


def measure_own(name: str, seed: int, effort: float, keep: kept.Kept) -> Accuracy:
    """Measure a loss of the catalogue in both its styles."""

    def measured() -> Accuracy:
        return measure_module(spec_of(name), module_of(name), seed=seed, effort=effort)

    return keep.measured(kept.key(name, (seed, effort), ("torch",)), measured)


def _kept(given: dict[str, Any], spec: LossSpec, told: Any) -> dict[str, Any]:
    names = {p.name for p in spec.parameters} - set(told)
    return {key: value for key, value in given.items() if key not in names}


def _admits(case: Case, peer: Peer) -> bool:
    if case.sizes.get("c", peer.classes) < peer.classes:
        return False
    if not peer.hard:
        return True
    return all(x in (0.0, 1.0) for x in case.tensors["target"].flat)


def cell(m: Measured | None) -> str:
    """Worst and 99th percentile."""
    return "" if m is None else f"{number(m.worst)} / {number(m.p99)}"


# Why ours is worse there, looked into by hand; said where it still is.
REASONS = {
    ("multilabel_soft_margin", "torch"): (
        "These are roundings, four of them in either: over 4.8 million scores drawn at random the "
        "worst gradient is 3.5 ulp off here and 3.1 in torch, the mean 0.48 and 0.47."
    ),
    ("triplet_margin", "torch"): (
        "The difference of anchor and negative, 3.4e38 + 37.5, is rounded in float32, and both "
        "distances are 3.4e38. In torch one is infinite and the value NaN, which passes no "
        "gradient on: 0, as it happens, is right."
    ),
    ("tversky", "SMP"): (
        "Neither has a digit there: the slopes in two probabilities of 1 and of 1e-10 agree to "
        "nine digits, and the gradient is what is left of their difference."
    ),
}

PEERS_HEAD = (
    "| loss | package | dtype | points | value: ours | value: theirs | gradient: ours "
    "| gradient: theirs | ours within the bar |",
    "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | --- |",
)


def peers_rows(against: Against) -> list[str]:
    """A row per dtype: worst / p99 of value and gradient, and who is worse."""
    lines = []
    for dtype in DTYPES:
        ours = [against.of("ours", dtype, q) for q in ("value", "gradient")]
        theirs = [against.of("theirs", dtype, q) for q in ("value", "gradient")]
        if ours[0] is None or theirs[0] is None:
            continue
        worse = [
            q
            for q, a, b in zip(("value", "gradient"), ours, theirs, strict=True)
            if a is not None and b is not None and a.worst > max(b.worst, LIMIT)
        ]
        lines.append(
            f"| {_title(against.peer)} | {against.peer.package} | {dtype} | {ours[0].points} "
            f"| {cell(ours[0])} | {cell(theirs[0])} | {cell(ours[1])} | {cell(theirs[1])} "
            f"| {'no: ' + ', '.join(worse) if worse else 'yes'} |"
        )
    return lines


def worse_rows(against: Against) -> list[str]:
    """Where ours is worse than max(theirs, 2 ulp): the point, what was computed, what is exact."""
    lines = []
    for dtype in DTYPES:
        for quantity in ("value", "gradient"):
            a, b = against.of("ours", dtype, quantity), against.of("theirs", dtype, quantity)
            if a is None or b is None or a.worst <= max(b.worst, LIMIT) or a.where is None:
                continue
            p = a.where
            lines.append(
                f"{_about(against.peer)}{dtype} {quantity}: "
                f"{number(a.worst)} against {number(b.worst)} ulp{_WHY.get(p.verdict, '')}. "
                f"Gave {p.computed!r}, exact {p.exact[:40]}, at {p.how}, {p.what}: "
                f"{_short(dict(p.tensors))}.{_worst(b)}"
            )
    reason = REASONS.get((against.peer.ours, against.peer.package))
    if lines and reason:
        lines[-1] += f" {reason}"
    return lines


def _worst(theirs: Measured) -> str:
    """Where the other is at its worst."""
    p = theirs.where
    return "" if p is None else f" Theirs gave {p.computed!r}, exact {p.exact[:40]}, at {p.how}."


def as_before(peer: Peer, before: str) -> Compared:
    """What the page had of a comparison."""
    lines = before.partition(CATALOGUE)[0].splitlines()
    head = f"| {_title(peer)} | {peer.package} |"
    return Compared(
        peer,
        tuple(x for x in lines if x.startswith(head)),
        tuple(x for x in lines if x.startswith(_about(peer))),
    )


def _title(peer: Peer) -> str:
    words = _words(peer)
    return f"{peer.ours} ({words})" if words else peer.ours


def _about(peer: Peer) -> str:
    return f"- {peer.ours} against {peer.package}, "


def _words(peer: Peer) -> str:
    return ", ".join(f"{k}={v!r}" for k, v in peer.options.items())


def _is_own(found: Accuracy, seed: int) -> bool:
    """Whether a measurement is one of the catalogue's, and not a comparison."""
    return found.seed == seed and {m.style for m in found.measured} <= {"functional", "function"}


def _short(tensors: dict[str, str]) -> str:
    text = ", ".join(f"{name} = {x}" for name, x in tensors.items())
    return text if len(text) < 400 else text[:400] + " …"


def catalogue_table(found: Iterable[Accuracy]) -> list[str]:
    """A row per loss and dtype: worst / p99 of value and gradient in both styles."""
    quantities = ("value", "gradient", "second")
    columns = [(s, q) for s in ("functional", "function") for q in quantities]
    lines = [
        "| loss | dtype | " + " | ".join(f"{s} {q}" for s, q in columns) + " |",
        "| --- | --- |" + " ---: |" * len(columns),
    ]
    for accuracy in found:
        by = {(m.style, m.dtype, m.quantity): m for m in accuracy.measured}
        for dtype in ("float64", "float32", "float16", "bfloat16"):
            cells = [_judged(by.get((s, dtype, q))) for s, q in columns]
            lines.append(f"| {accuracy.name} | {dtype} | " + " | ".join(cells) + " |")
    return lines


def _judged(m: Measured | None) -> str:
    if m is None:
        return ""
    marks = {"terms": "t", "avoidable": "a", "conditioned": "c", "breaks": "b"}
    told = " ".join(f"{m.verdicts[k]}{mark}" for k, mark in marks.items() if k in m.verdicts)
    if m.quantity == "second":
        return told
    return f"{cell(m)}{' · ' + told if told else ''}"


@dataclass(frozen=True)
class Standing:
    """What the page has of a loss of the catalogue."""

    name: str
    rows: tuple[str, ...]
    breaks: tuple[str, ...]


def standing(name: str, before: str) -> Standing | None:
    """What the page had of a loss among those that it counts."""
    lines = _counted(before).splitlines()
    rows = tuple(x for x in lines if x.startswith(f"| {name} |"))
    breaks = tuple(x for x in lines if x.startswith(f"- {name}, "))
    return Standing(name, rows, breaks) if rows else None


def _counted(before: str) -> str:
    """The part of the page about the catalogue, without the losses that it does not count."""
    return before.partition(CATALOGUE)[2].partition(NOT_IN_THIS_RUN)[0]


def _summary(found: list[Accuracy], stands: list[Standing], before: str) -> list[str]:
    """Counts and medians; where some losses are as the page has them, those of the page."""
    if not stands:
        return [held_count(found), "\n".join(medians(found))]
    counted = _counted(before)
    told = counted[counted.index("\nOf ") : counted.index("\n\n| loss |")].strip()
    told = told.partition(SINCE)[0].strip()
    return [told, f"{SINCE} {', '.join(a.name for a in found)}."]


def breaks_list(found: Iterable[Accuracy]) -> list[str]:
    """The first break of each loss, style and quantity in float32 and float64."""
    lines = []
    for accuracy in found:
        for m in accuracy.measured:
            if m.breaks and m.dtype in ("float32", "float64"):
                p = m.breaks[0]
                size = "" if p.ordinary else ", elements of extreme size"
                lines.append(
                    f"- {accuracy.name}, {m.style} {m.quantity} {m.dtype} ({p.verdict}, "
                    f"{number(p.ulp)} ulp{size}): gave {p.computed!r}, exact {p.exact[:40]}, at "
                    f"{p.how}{', ' + p.setting if p.setting else ''}, {p.what}: "
                    f"{_short(dict(p.tensors))}"
                )
    return lines


def medians(found: list[Accuracy]) -> list[str]:
    """The median over the losses of the worst errors, elementwise losses and those over an axis."""
    lines = [
        "| losses | dtype | quantity | style | median of the worst, ulp | as the bars count "
        "| all within a bar | no NaN or infinity |"
    ]
    lines.append("| --- | --- | --- | --- | ---: | ---: | ---: | ---: |")
    for over_axis in (False, True):
        group = [a for a in found if a.over_axis == over_axis]
        for dtype in ("float64", "float32"):
            for quantity in ("value", "gradient", "second"):
                for style in ("functional", "function"):
                    these = [
                        m
                        for a in group
                        for m in a.measured
                        if (m.dtype, m.quantity, m.style) == (dtype, quantity, style)
                    ]
                    if these:
                        kind = "over an axis" if over_axis else "elementwise"
                        held = sum(m.holds for m in these)
                        worst = [m.worst for m in these], [m.multiple for m in these]
                        ulp, counted = (number(statistics.median(w)) for w in worst)
                        if quantity == "second":
                            ulp = counted = ""
                        lines.append(
                            f"| {kind} | {dtype} | {quantity} | {style} | {ulp} | {counted} "
                            f"| {held} of {len(these)} "
                            f"| {sum(m.finite for m in these)} of {len(these)} |"
                        )
    return lines


def held_count(found: list[Accuracy]) -> str:
    """How many losses have no number beyond a bar: as measured, and as the bars are stated."""
    asked = [
        a
        for a in found
        if not a.errors
        and all(m.holds if m.style == "functional" else m.finite for m in a.measured)
    ]
    return (
        f"Of {len(found)} losses, {sum(a.holds for a in found)} have no number beyond a bar in "
        f"either style. The bars ask for digits of the functional form alone, and of the plain "
        f"function no NaN or infinity: {len(asked)} meet that, second derivatives and half "
        f"precision included. As the bars count: where a formula cancels, in ulp of the sum of "
        f"its terms' magnitudes."
    )


_WHY = {
    "terms": " (the formula cancels there: within the bar of its terms)",
    "avoidable": " (terms cancel there that need not)",
    "conditioned": " (no more than roundings of the inputs do)",
    "half": " (within 1 ulp of the rounded float32 result)",
}
HOW_TO_READ = """\
Cells are worst / 99th percentile of the error, in units in the last place of the exact result,
over ordinal-uniform points, extremes (0, the smallest and largest numbers, 17, 88, 104, 1e4, …),
exact ties, kinks ± 1 ulp, confident predictions, and for losses over an axis rows of many sizes.
`inf`: NaN or infinity where the exact result is representable. 2^24 = 1.7e7 (float32) or 2^53 =
9e15 (float64) ulp means that no digit is right. "Exact" is the formula of the spec, node by node,
in 50 digits or more."""

CATALOGUE = "## The catalogue"
NOT_IN_THIS_RUN = "### Not in this run"
SINCE = "Counts and medians are of the run before; measured since:"
MARKS = """\
After the dot: how many numbers are within the bar only by the terms of a formula that cancels (t; a
where another way of computing would not cancel), how many break it though by no more than roundings
of the inputs do to the exact result (c), how many break it (b). Bars: 8 ulp for values and 16 for
gradients of elementwise losses, 16 and 32 over an axis; half and bfloat16: within 1 ulp of the
float32 result, rounded. The plain function computes in half as it comes, and has no bar there.
"second" counts second derivatives that are NaN or infinite and should not be."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--effort", type=float, default=0.3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--part", choices=("peers", "catalogue"))
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--no-more", action="store_true")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/results/accuracy.md")
    told = parser.parse_args()
    torch.set_num_threads(1)
    names = told.names or sorted(p.stem for p in (ROOT / "specs").glob("*.py"))
    keep = kept.Kept(told.keep, told.no_more)
    against: list[Compared] = []
    found: list[Accuracy] = []
    stands: list[Standing] = []
    missing: dict[str, str] = {}
    earlier: list[str] = []
    absent: list[str] = []
    before = told.out.read_text("utf-8") if told.out.exists() else ""

    def write() -> None:
        """The page so far: a run takes its time, and may be cut short."""
        if told.names or told.part == "peers":
            return
        if told.part is None:
            text = page(against, missing, told.seed, told.effort)
        else:
            text = before.partition(CATALOGUE)[0]
        text += catalogue_page(found, stands, before, told.seed, told.effort)
        text += of_earlier_code(earlier) + not_measured(absent, before)
        told.out.write_text(text, "utf-8")

    for peer in PEERS if told.part != "catalogue" else ():
        if peer.ours not in names or not peer.items:
            continue
        try:
            ours = compare(peer, told.seed, told.effort, keep)
        except ImportError as fault:
            missing[peer.package] = str(fault)
            continue
        except kept.NotThere:
            against.append(as_before(peer, before))
            earlier.append(f"{peer.ours} against {peer.package}")
            continue
        against.append(Compared(peer, tuple(peers_rows(ours)), tuple(worse_rows(ours))))
        print("\n".join(against[-1].rows), flush=True)
        for error in ours.accuracy.errors[:2]:
            print("   raised:", error[:200], flush=True)
        write()
    for name in names if told.part != "peers" else ():
        try:
            found.append(measure_own(name, told.seed, told.effort, keep))
        except kept.NotThere:
            own = keep.newest(name, partial(_is_own, seed=told.seed))
            found += own
            stood = None if own else standing(name, before)
            stands += [stood] if stood else []
            (absent if not own and stood is None else earlier).append(name)
            continue
        held = "meets its bars" if found[-1].holds else "breaks a bar"
        print(f"{name:34s} {held}, {found[-1].seconds:.0f} s", flush=True)
        write()
    write()
    for package, why in missing.items():
        print(f"left out: {package} ({why})")


def page(
    against: list[Compared],
    missing: dict[str, str],
    seed: int,
    effort: float,
) -> str:
    """The page before the catalogue's part."""
    there = {a.peer.package for a in against}
    versions = ", ".join(f"{DISTRIBUTIONS[p]} {version(p)}" for p in DISTRIBUTIONS if p in there)
    left = "".join(f" Left out: {p} ({why})." for p, why in missing.items())
    compared = [row for a in against for row in a.rows]
    within = sum(row.endswith("| yes |") for row in compared)
    worse = [line for a in against for line in a.worse]
    parts = [
        "# Accuracy",
        f"{versions}; CPU; seed {seed}, effort {effort:g}.{left}",
        HOW_TO_READ,
        "## Against other packages",
        f"The bar: our worst error is at most the other's worst, or {LIMIT:g} ulp. Within it: "
        f"{within} of {len(compared)} rows.",
        "\n".join((*PEERS_HEAD, *compared)),
        "### Where ours is worse",
        "\n".join(worse or ["Nowhere."]),
    ]
    return "\n\n".join(parts) + "\n\n"


def catalogue_page(
    found: list[Accuracy], stands: list[Standing], before: str, seed: int, effort: float
) -> str:
    """The part of the page about the catalogue."""
    head = catalogue_table(())
    of = {a.name: (catalogue_table((a,))[len(head) :], breaks_list((a,))) for a in found}
    of |= {x.name: (list(x.rows), list(x.breaks)) for x in stands}
    parts = [
        CATALOGUE,
        f"Seed {seed}, effort {effort:g}.",
        MARKS,
        *_summary(found, stands, before),
        "\n".join([*head, *(row for name in sorted(of) for row in of[name][0])]),
        "### What breaks a bar in float32 or float64",
        "The first of each kind, elements of ordinary size before extreme ones.",
        "\n".join([line for name in sorted(of) for line in of[name][1]] or ["None."]),
    ]
    return "\n\n".join(parts) + "\n"


def of_earlier_code(earlier: list[str]) -> str:
    """What was not measured anew since the code of a loss, or what measures it, has changed."""
    if not earlier:
        return ""
    return (
        "\n### Of earlier code\n\nMeasured at an earlier state of the generator, in the same way: "
        f"{', '.join(earlier)}.\n"
    )


def not_measured(absent: list[str], before: str) -> str:
    """What the run lacks, and what the page had of it: numbers of earlier code."""
    if not absent:
        return ""
    rows = [
        line
        for line in before.partition(CATALOGUE)[2].splitlines()
        if line.count("|") == 9 and line.split("|")[1].strip() in absent
    ]
    told = [
        f"\n{NOT_IN_THIS_RUN}",
        "Not in the counts and medians above; rows, where there are any, were measured at an "
        f"earlier state of the generator, in the same way: {', '.join(absent)}.",
    ]
    return "\n\n".join((*told, "\n".join((*catalogue_table(()), *rows)))) + "\n"


if __name__ == "__main__":
    main()
