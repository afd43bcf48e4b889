from lossgen.language import (
    Logits,
    Max,
    Min,
    NonNegative,
    Probabilities,
    e,
    log,
    log_sigmoid,
    loss,
    sigmoid,
    where,
)


@loss(
    reference='Ridnik et al., "Asymmetric Loss for Multi-Label Classification", ICCV 2021',
    family="classification",
)
def asymmetric(
    input: Logits[e],
    target: Probabilities[e],
    *,
    gamma_pos: NonNegative = 0.0,
    gamma_neg: NonNegative = 4.0,
    margin: NonNegative = 0.05,
):
    """Focal loss for many labels that falls faster on negatives and drops the easiest.

    The probability of a negative is lowered by the margin and held at 0 or above. The mean divides
    by the number of elements (the authors sum), and the focusing factors take part in the gradient
    (the authors' code can hold them constant). With both gammas and the margin 0 it is binary
    cross-entropy.

    Args:
        gamma_pos: focusing of the positives.
        gamma_neg: focusing of the negatives.
        margin: negatives with a probability below this cost nothing.
    """
    x, label = input[e], target[e]
    shifted = Max(0, sigmoid(x) - margin)
    rest = Min(1, sigmoid(-x) + margin)
    log_rest = where(margin > 0, log(rest), log_sigmoid(-x))
    hit = label * sigmoid(-x) ** gamma_pos * log_sigmoid(x)
    miss = (1 - label) * shifted**gamma_neg * log_rest
    return -(hit + miss)
