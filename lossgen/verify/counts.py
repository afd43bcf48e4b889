"""Numbers of classes and features that code wants to be told, as most classes with a head do.

In: a spec, a target, and what was typed. Out: the settings and sizes that fit together: the code is
told the size that the formula's axis has, or the axis gets the size that the code was told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lossgen.spec import LossSpec
from lossgen.verify.sampling import usual_sizes
from lossgen.verify.target import Argument, Target

_COUNTED = {
    "c": (
        "num_classes n_classes nb_classes nclasses num_class n_class class_num classes_num classes "
        "num_labels n_labels num_cls out_features"
    ),
    "d": (
        "in_features feat_dim feature_dim embedding_size embedding_dim embed_dim emb_dim "
        "feature_size emb_size num_features"
    ),
}


def counted(
    spec: LossSpec, target: Target, settings: Mapping[str, Any], sizes: Mapping[str, str]
) -> tuple[dict[str, Any], dict[str, str]]:
    """The settings with the counts that the code must be told, and the sizes with those it was."""
    settings, sizes = dict(settings), dict(sizes)
    usual = usual_sizes(spec)
    for argument, axis in _counts(spec, target.arguments):
        if argument.name in settings:
            value = settings[argument.name]
            if isinstance(value, int) and value > 0:
                sizes.setdefault(axis, str(value))
        elif argument.required:
            sizes.setdefault(axis, str(usual[axis][0]))
            settings[argument.name] = int(sizes[axis]) if sizes[axis].isdigit() else usual[axis][0]
    return settings, sizes


def by_default(spec: LossSpec, left: Sequence[Argument]) -> dict[str, tuple[int, ...]]:
    """Sizes that the code has at its defaults: a number of classes that nobody set."""
    return {
        axis: (a.default,)
        for a, axis in _counts(spec, left)
        if type(a.default) is int and 1 < a.default <= _MOST
    }


_MOST = 64  # classes that a question may have: beyond, it takes too long


def _counts(spec: LossSpec, arguments: Sequence[Argument]) -> Iterator[tuple[Argument, str]]:
    axes = {str(a.name) for t in spec.tensors for a in t.axes}
    own = {x.name for x in spec.arguments}
    for argument in arguments:
        for axis, names in _COUNTED.items():
            known = axis in axes and argument.name not in own
            if known and argument.name.lower() in names.split():
                yield argument, axis
