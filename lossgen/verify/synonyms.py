"""Names that people use for the same thing.

In: an argument of a formula, and a name in code.  Out: whether it is called so there.
"""

from __future__ import annotations

from typing import Any

from lossgen.spec import Parameter, TensorArg

_PREDICTED = (
    "input inputs pred preds prediction predictions predicted y_pred yhat y_hat logits logit "
    "output outputs scores score x student student_logits log_probs log_prob probs prob p"
)
_WANTED = (
    "target targets label labels y_true y gt ground_truth truth true targ teacher teacher_logits q"
)
_WEIGHT = "weight weights class_weight class_weights"
_MASK = "mask valid valid_mask attention_mask"
SYNONYMS = tuple(frozenset(x.split()) for x in (_PREDICTED, _WANTED, _WEIGHT, _MASK))
# Options that go by several names; a letter alone, or an eps, may be anything.
_OPTIONS = (
    "tau temperature temp",
    "label_smoothing smoothing smooth_factor label_smooth",
    "smooth smoothing smooth_factor",
    "ignore_index ignore_label ignored_index ignore_idx",
    "gamma focusing focusing_param focusing_parameter",
    "q quantile tau level",
    "eps epsilon",
)


def equal(a: Any, b: Any) -> bool:
    """Whether two defaults are the same number; flags are too often the same."""
    return not isinstance(a, bool) and isinstance(a, (int, float)) and a == b


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


def same(ours: TensorArg | Parameter, theirs: str, exact: bool) -> bool:
    if exact:
        return _plain(ours.name) == _plain(theirs)
    if isinstance(ours, Parameter):
        return any(ours.name == g.split()[0] and theirs.lower() in g.split() for g in _OPTIONS)
    return any(ours.name in group and theirs.lower() in group for group in SYNONYMS)


def is_held(tensor: TensorArg) -> bool:
    return tensor.optional or tensor.role.learnable
