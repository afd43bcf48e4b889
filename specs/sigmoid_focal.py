from lossgen.language import (
    Logits,
    NonNegative,
    Probabilities,
    Real,
    e,
    log_sigmoid,
    loss,
    sigmoid,
    where,
)


@loss(
    reference='Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017',
    family="classification",
)
def sigmoid_focal(
    input: Logits[e], target: Probabilities[e], *, alpha: Real = 0.25, gamma: NonNegative = 2.0
):
    """Binary cross-entropy of scores in which well-classified elements count little.

    Follows torchvision: a label is 0 or 1 (values between are interpolated linearly), a negative
    alpha turns the class balance off, and the mean divides by the number of elements. The paper
    divides by the number of positive anchors instead; take `reduction="sum"` for that. With
    gamma = 0 and alpha < 0 it is binary cross-entropy.

    Args:
        alpha: weight of label 1 (label 0 gets 1 - alpha); negative: no weights.
        gamma: how fast the weight falls with the probability of the true label.
    """
    x, label = input[e], target[e]
    cross_entropy = -label * log_sigmoid(x) - (1 - label) * log_sigmoid(-x)
    miss = label * sigmoid(-x) + (1 - label) * sigmoid(x)
    focal = miss**gamma * cross_entropy
    balance = alpha * label + (1 - alpha) * (1 - label)
    return where(alpha >= 0, balance * focal, focal)
