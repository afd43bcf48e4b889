from lossgen.language import (
    ClassIndex,
    Integer,
    Logits,
    Positive,
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
    reference=(
        'Zhang and Sabuncu, "Generalized Cross Entropy Loss for Training Deep Neural Networks '
        'with Noisy Labels", NeurIPS 2018'
    ),
    family="classification",
)
def generalized_cross_entropy(
    input: Logits[n, c, s],
    target: ClassIndex[n, s],
    *,
    q: Positive = 0.7,
    ignore_index: Integer = -100,
):
    """Classification loss between cross-entropy (q near 0) and mean absolute error (q = 1).

    Robust to wrong labels. This is the paper's L_q without its truncation. The mean divides by the
    number of positions kept, so it is NaN when nothing is kept.

    Args:
        q: power of the true class' probability, in (0, 1].
        ignore_index: positions with this label count neither in the sum nor in the mean.
    """
    kept = target[n, s] != ignore_index
    label = where(kept, target[n, s], 0)
    log_prob = at(log_softmax(input[n, c, s], c), c=label)
    item = where(kept, (1 - exp(q * log_prob)) / q, 0)
    return averaged(item, over=where(kept, 1, 0))
