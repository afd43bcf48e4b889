from lossgen.language import Logits, Probabilities, Weight, broadcast, e, loss, softplus


@loss(
    reference='Good, "Rational Decisions", J. R. Statist. Soc. B 1952',
    family="classification",
    class_name="BCEWithLogitsLoss",
    signature="input, target, weight, size_average, reduce, reduction, pos_weight",
    class_signature="weight, size_average, reduce, reduction, pos_weight",
)
def binary_cross_entropy_with_logits(
    input: Logits[e],
    target: Probabilities[e],
    weight: Weight[broadcast(e)] = None,
    pos_weight: Weight[broadcast(e)] = None,
):
    """Cross-entropy between a label's probability and the sigmoid of a score.

    The mean divides by the number of elements, whatever the weights.

    Args:
        pos_weight: multiplies the positive term only.
    """
    hit = pos_weight[e] * target[e] * softplus(-input[e])
    miss = (1 - target[e]) * softplus(input[e])
    return weight[e] * (hit + miss)
