"""Where the question is asked: points that tell formulas apart.

In: a ``Question``. Out: ``Point``s. No two axes are of one size, batches hold more than one,
options leave their defaults and are asymmetric; then single samples, ties, and values at which
naive code overflows. Values are multiples of 1/64, so that they are exact in single precision.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from lossgen.spec import LossSpec, TensorArg
from lossgen.testcases import CaseRow, cases
from lossgen.testoptions import alternatives
from lossgen.testsamples import SampleRow, samples, sizes
from lossgen.verify.adapters import class_axis
from lossgen.verify.point import Array, Point
from lossgen.verify.question import Question

Sizes = dict[str, tuple[int, ...]]
MOST_CASES = 40


def points(question: Question, manner: str) -> Iterator[Point]:
    """Points of a manner ("plain", "ties", "extreme"), the most telling first."""
    rows = [r for r in rows_of(question) if r.manner == manner]
    for number, row in enumerate(rows[:MOST_CASES]):
        yield point(question, row, question.seed + 101 * number)


def first_points(question: Question) -> Iterator[Point]:
    """A few plain points with every option away from its default: most mistakes show here."""
    row = _fullest(question)
    for k in range(2):
        yield point(question, row, question.seed + 7 + k)


def _fullest(question: Question) -> CaseRow:
    """The plain case with everything given and every option moved, at shapes that may change."""
    return _moved_most(question, rows_of(question))


def _moved_most(question: Question, rows: list[CaseRow]) -> CaseRow:
    plain = [r for r in rows if r.manner == "plain" and not r.shapes]
    usual = question.options

    def moved(row: CaseRow) -> tuple[bool, int, int]:
        changed = sum(row.options[name] != usual[name] for name in usual)
        return row.name == "all options", len(row.given), changed

    return max(plain, key=moved)


def rows_of(question: Question) -> list[CaseRow]:
    """The cases of the generated tests, as far as the code takes part in them."""
    spec, options, seen, rows = question.spec, question.options, set(), []
    variable = set(question.variable)
    required = {name for name, argument in question.matching.taken.items() if argument.required}
    for row in cases(spec):
        chosen = {k: v for k, v in row.options.items() if k in variable}
        asked = {*row.given} & question.matching.taken.keys() | required
        given = tuple(t.name for t in spec.tensors if t.optional and t.name in asked)
        changed = replace(row, options={**options, **chosen}, given=given)
        key = repr((sorted(changed.options.items()), given, row.manner, row.shapes, row.start))
        if key not in seen:
            seen.add(key)
            rows.append(changed)
    rows[1:1] = _marked(question, rows)
    rows += _inside(question, rows)
    missing = [k for k, v in options.items() if v is None]
    others = alternatives(spec)
    return [
        replace(
            r, options={**r.options, **{k: others[k][0] for k in missing if r.options[k] is None}}
        )
        for r in rows
    ]


def _marked(question: Question, rows: list[CaseRow]) -> list[CaseRow]:
    """An option that marks labels is 0, which code may take for none."""
    names = {x.marked for x in samples(question.spec)} & set(question.variable)
    like = _moved_most(question, rows)
    return [
        replace(like, name=f"{name} 0", options={**like.options, name: 0}) for name in sorted(names)
    ]


def _inside(question: Question, rows: list[CaseRow]) -> list[CaseRow]:
    """Options between 0 and 1, where powers have infinite slopes, and at 1, which is left out."""
    found = []
    for p in question.spec.parameters:
        if p.name in question.variable and p.role.kind == "real" and not p.role.choices:
            for manner in ("plain", "extreme"):
                like = next((r for r in rows if r.manner == manner), None)
                if like is None or p.default is None:
                    continue
                between = 0.5 if p.default >= 1 else None
                for value in (between, 1.0 if manner == "plain" else None):
                    if value not in (None, p.default) and p.role.admits(value):
                        options = {**like.options, p.name: value}
                        name = f"{p.name} {value}, {manner}"
                        found.append(replace(like, name=name, options=options))
    return found


def point(question: Question, row: CaseRow, seed: int, size: Sizes | None = None) -> Point:
    """One point of a case."""
    size = {**(size or sizes(question.spec)), **question.pinned}
    return draw(question, row, np.random.default_rng(seed), size, seed)


def draw(
    question: Question, row: CaseRow, random: np.random.Generator, size: Sizes, seed: int
) -> Point:
    """Fill every tensor that is given."""
    spec = question.spec
    tensors: dict[str, Array] = {}
    for tensor, sample in zip(spec.tensors, samples(spec), strict=True):
        if sample.optional and sample.name not in row.given:
            continue
        shape = row.shapes.get(sample.name)
        if shape is None:
            shape = tuple(x for axis in sample.axes for x in size[axis])
            if sample.broadcast and shape:
                shape = (*shape[:-1], 1)
        classes = classes_of(spec, sample, size)
        array = fill(replace(sample, classes=classes), shape, row.manner, random)
        if sample.kind in ("real", "rows") and seed % 2 and sample.high > 0 and sample.low < 0:
            array = np.abs(array)
        array = _within(question, tensor, array, random)
        if question.known(sample.marked) and array.size > 1:
            array.reshape(-1)[1] = row.options[sample.marked]
        tensors[sample.name] = array
    if row.manner == "ties":
        _tie(spec, tensors, size)
    return Point(tensors, dict(row.options), row.name)


def classes_of(spec: LossSpec, sample: SampleRow, size: Sizes) -> int:
    """The number of classes that an index tensor's labels are below."""
    if not sample.classes:
        return 0
    usual = sizes(spec)
    axis = next((a for a, s in usual.items() if s == (sample.classes,) and a in size), None)
    return size[axis][0] if axis is not None and sample.classes != 2 else sample.classes


def fill(
    sample: SampleRow, shape: tuple[int, ...], manner: str, random: np.random.Generator
) -> Array:
    """One tensor."""
    kind = sample.kind
    if kind == "boolean":
        mask = random.integers(0, 2, shape).astype(bool)
        mask[:1] |= manner != "extreme"
        return mask
    if kind == "groups" and manner == "plain":
        # All of one group but one: a row has several like it, another has none.
        return (random.permutation(shape[0]) == 0).astype(np.int64)
    if kind in ("index", "groups"):
        return random.integers(0, max(sample.classes, 1), shape).astype(np.int64)
    if kind == "labels":  # a list of classes names none of them twice
        rows = [random.permutation(np.arange(-1, shape[-1] - 1)) for _ in range(shape[0])]
        return np.array(rows, dtype=np.int64).reshape(shape)
    if kind in ("binary", "sign"):
        bits = random.integers(0, 2, shape).astype(np.float64)
        return bits if kind == "binary" else 2 * bits - 1
    if kind == "boxes":
        step = 2 if manner == "ties" else 64
        corner = random.integers(0, 4 * step, shape) / step
        extent = random.integers(1, 2 * step + 1, shape) / step
        return np.concatenate((corner[:, :2], corner[:, :2] + extent[:, 2:]), axis=1)
    low, high, step = sample.low, sample.high, 64
    if manner == "ties":
        low, high, step = max(low, -1), min(high, 2), 2 if high - low > 2 else 4
    values = random.integers(int(low * step) + 1, int(high * step), shape) / step
    if manner == "extreme" and sample.extremes:
        chosen = np.array(sample.extremes)[random.integers(0, len(sample.extremes), shape)]
        values = np.where(random.integers(0, 2, shape).astype(bool), chosen, values)
    return np.asarray(values, dtype=np.float64)


def _within(
    question: Question, tensor: TensorArg, array: Array, random: np.random.Generator
) -> Array:
    """Bring a tensor into the domain of the conventions in which the code takes it."""
    for adapter in question.adapters.get(tensor.name, ()):
        place = class_axis(question.spec, tensor)
        if adapter.domain == "binary":
            array = random.integers(0, 2, array.shape).astype(np.float64)
        elif adapter.domain == "one_hot":
            chosen = random.integers(0, array.shape[place], array.shape)
            first = np.take(chosen, [0], axis=place)
            index = np.arange(array.shape[place])
            wide = index.reshape([-1 if k == place % array.ndim else 1 for k in range(array.ndim)])
            array = (first == wide).astype(np.float64)
        elif adapter.domain == "distribution":
            array = np.abs(array) + 1 / 64
            array = array / array.sum(axis=place, keepdims=True)
        elif adapter.domain == "tame":
            array = np.clip(array, -6, 6)
    return array


def _tie(spec: LossSpec, tensors: dict[str, Array], size: Sizes) -> None:
    """Let like tensors agree in a row, so that what compares them is at a tie."""
    names = list(tensors)
    first = tensors[names[0]]
    roles = {t.name: (t.role.name, t.axes) for t in spec.tensors}
    alike = [k for k in names[1:] if roles[k] == roles[names[0]]]
    for row, name in enumerate(alike):
        if tensors[name].shape == first.shape and first.ndim:
            other = tensors[name].copy()
            other[row : row + 1] = first[row : row + 1]
            tensors[name] = other


def resized(question: Question, size: Sizes, seed: int, manner: str = "plain") -> Point:
    """A point of other sizes, with every option away from its default."""
    return point(question, replace(_fullest(question), manner=manner), seed, size)


def usual_sizes(spec: LossSpec) -> Sizes:
    """The sizes that points have unless said otherwise."""
    return sizes(spec)


def moved_options(question: Question, point: Point) -> Point:
    """The point with its real options elsewhere, no two moved alike."""
    changed = point
    for k, p in enumerate(question.spec.parameters):
        value = point.options[p.name]
        if p.name in question.variable and p.role.kind == "real" and not p.role.choices:
            for factor in (1.75, 0.625):
                moved = value * (factor + k / 16) if value else 0.25 + k / 16
                if p.role.admits(moved):
                    changed = changed.with_option(p.name, moved)
                    break
    return changed
