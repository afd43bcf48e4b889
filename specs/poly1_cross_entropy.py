from lossgen.language import (
    ClassIndex,
    Integer,
    Logits,
    Real,
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
        'Leng et al., "PolyLoss: A Polynomial Expansion Perspective of Classification Loss '
        'Functions", ICLR 2022'
    ),
    family="classification",
)
def poly1_cross_entropy(
    input: Logits[n, c, s],
    target: ClassIndex[n, s],
    *,
    epsilon: Real = 1.0,
    ignore_index: Integer = -100,
):
    """Cross-entropy whose first polynomial coefficient is changed: epsilon (1 - p) is added.

    The mean divides by the number of positions kept, so it is NaN when nothing is kept. With
    epsilon = 0 it is cross-entropy.

    Args:
        epsilon: change of the leading coefficient, -1 or above.
        ignore_index: positions with this label count neither in the sum nor in the mean.
    """
    kept = target[n, s] != ignore_index
    label = where(kept, target[n, s], 0)
    log_prob = at(log_softmax(input[n, c, s], c), c=label)
    item = where(kept, -log_prob + epsilon * (1 - exp(log_prob)), 0)
    return averaged(item, over=where(kept, 1, 0))
