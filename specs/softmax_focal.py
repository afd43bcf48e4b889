from lossgen.language import (
    ClassIndex,
    Integer,
    Logits,
    NonNegative,
    Weight,
    at,
    averaged,
    c,
    exp,
    log_softmax,
    loss,
    n,
    s,
    where,
)


@loss(
    reference='Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017',
    family="classification",
)
def softmax_focal(
    input: Logits[n, c, s],
    target: ClassIndex[n, s],
    alpha: Weight[c] = None,
    *,
    gamma: NonNegative = 2.0,
    ignore_index: Integer = -100,
):
    """Cross-entropy over classes in which well-classified positions count little.

    The probability is that of the softmax, not of one sigmoid for each class. The mean divides by
    the number of positions kept, whatever alpha (torch's cross-entropy divides by the sum of the
    weights), so it is NaN when nothing is kept. With gamma = 0 and no alpha it is cross-entropy.

    Args:
        alpha: weight of each class.
        gamma: how fast the weight falls with the probability of the true class.
        ignore_index: positions with this label count neither in the sum nor in the mean.
    """
    kept = target[n, s] != ignore_index
    label = where(kept, target[n, s], 0)
    log_prob = at(log_softmax(input[n, c, s], c), c=label)
    prob = exp(log_prob)
    item = where(kept, -alpha[label] * (1 - prob) ** gamma * log_prob, 0)
    return averaged(item, over=where(kept, 1, 0))
