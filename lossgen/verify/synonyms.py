"""Names that people use for the same thing.

In: an argument of a formula, and a name in code.  Out: whether it is called so there, or might be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lossgen.spec import Parameter, TensorArg

_PREDICTED = (
    "input inputs pred preds predict prediction predictions predicted y_pred yhat y_hat logits "
    "logit output outputs out net_output scores score x student student_logits log_probs log_prob "
    "probs prob p"
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
    "ignore_index ignore_label ignored_index ignore_idx ignore_id ignore_value ignored_class "
    "ignore_class pad_id pad_idx pad_index padding_idx padding_index pad_token_id "
    "void_label void_index",
    "gamma focusing focusing_param focusing_parameter",
    "q quantile tau level",
    "eps epsilon",
)


def equal(a: Any, b: Any) -> bool:
    """Whether two defaults are the same number; flags are too often the same."""
    return not isinstance(a, bool) and isinstance(a, (int, float)) and a == b


def perhaps(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> Iterator[str]:
    """What to say of options that nobody matched, alone with their default or alone altogether."""
    numbers = [k for k, x in theirs.items() if isinstance(x, float)]
    if len(ours) == len(numbers) == 1 and all(isinstance(x, float) for x in ours.values()):
        ((name, default),) = ours.items()
        if not equal(theirs[numbers[0]], default):
            told = f"perhaps the formula's {name} is the code's {numbers[0]}"
            yield f"{told}: --map {name}={numbers[0]}"
    for name, default in ours.items():
        alike = [k for k, x in theirs.items() if equal(x, default)]
        others = [k for k, x in ours.items() if equal(x, default)]
        if len(alike) == len(others) == 1:
            yield (
                f"perhaps the formula's {name} is the code's {alike[0]}, of the same default: "
                f"--map {name}={alike[0]}"
            )


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


def same(ours: TensorArg | Parameter, theirs: str, exact: bool) -> bool:
    if exact:
        return _plain(ours.name) == _plain(theirs)
    if isinstance(ours, Parameter):
        return any(ours.name == g.split()[0] and theirs.lower() in g.split() for g in _OPTIONS)
    return any(ours.name in group and theirs.lower() in group for group in SYNONYMS)


# Words of a name that say nothing of which tensor it is, and words that are others in short.
_EMPTY = frozenset(["policy", "model", "pi", "logp", "log", "prob", "per", "token", "tensor"])
_SHORT = {"reference": "ref", "logprob": "logp", "adv": "advantage"}


def key(name: str) -> frozenset[str]:
    """What a name says: ``old_logps`` is ``old``, ``reference_chosen_logps`` ``ref`` ``chosen``."""
    words = [x.removesuffix("s") if len(x) > 3 else x for x in name.lower().split("_") if x]
    found = frozenset(_SHORT.get(x, x) for x in words)
    said = found - _EMPTY
    return said or (frozenset({"logp"}) if found & {"logp", "log", "prob"} else found)


def is_held(tensor: TensorArg) -> bool:
    return tensor.optional or tensor.role.learnable
