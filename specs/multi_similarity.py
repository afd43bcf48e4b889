from lossgen.language import (
    Amax,
    Amin,
    ClassIndex,
    Embedding,
    NonNegative,
    Positive,
    Real,
    Sum,
    at,
    d,
    i,
    j,
    logsumexp,
    loss,
    n,
    norm,
    softplus,
    where,
)


@loss(
    reference=(
        'Wang et al., "Multi-Similarity Loss with General Pair Weighting for Deep Metric '
        'Learning", CVPR 2019'
    ),
    family="contrastive",
)
def multi_similarity(
    input: Embedding[n, d],
    target: ClassIndex[n],
    *,
    alpha: Positive = 2.0,
    beta: Positive = 50.0,
    base: Real = 0.5,
    eps: NonNegative = 0.1,
):
    """Pulls hard positives and pushes hard negatives of a batch, softly weighted.

    A positive is kept when it is less similar than the row's most similar negative plus eps, a
    negative when it is more similar than the least similar positive minus eps; this selection has
    no gradient. As in the paper, the two terms of a row are added whether or not both have pairs
    (the authors' code drops a row that lacks either), and the mean divides by all rows. A zero row
    has cosine 0 with everything, and slope 0.

    Args:
        alpha: sharpness of the positive term.
        beta: sharpness of the negative term.
        base: the cosine around which pairs are weighed.
        eps: slack of the selection.
    """

    def unit(z):
        length = norm(z, d)
        return where(length > 0, z / length, 0)

    rows = unit(input[n, d])
    sim = Sum(at(rows, n=i) * at(rows, n=j), d)
    positive = target[i] == target[j] and i != j
    negative = target[i] != target[j]
    hard_positive = positive and sim - eps < Amax(sim, j, where=negative)
    hard_negative = negative and sim + eps > Amin(sim, j, where=positive)
    pull = softplus(logsumexp(-alpha * (sim - base), j, where=hard_positive)) / alpha
    push = softplus(logsumexp(beta * (sim - base), j, where=hard_negative)) / beta
    return pull + push
