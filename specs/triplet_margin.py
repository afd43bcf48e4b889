from lossgen.language import (
    Abs,
    Amax,
    Embedding,
    Flag,
    Max,
    Min,
    Positive,
    Real,
    Sum,
    d,
    loss,
    norm,
    oo,
    s,
    where,
)


@loss(
    reference=(
        'Balntas et al., "Learning Local Feature Descriptors with Triplets and Shallow '
        'Convolutional Neural Networks", BMVC 2016'
    ),
    family="embedding",
    class_name="TripletMarginLoss",
    signature=("anchor, positive, negative, margin, p, eps, swap, size_average, reduce, reduction"),
    class_signature="margin, p, eps, swap, size_average, reduce, reduction",
)
def triplet_margin(
    anchor: Embedding[s, d],
    positive: Embedding[s, d],
    negative: Embedding[s, d],
    *,
    margin: Positive = 1.0,
    p: Positive = 2.0,
    eps: Real = 1e-6,
    swap: Flag = False,
):
    """Hinge that wants an anchor nearer to the positive than to the negative, by a margin.

    Distances run over the last axis. As in torch, eps is added to each difference (not to the
    distance). The slope at the hinge is that of its active side, as in torch before 2.14.

    Args:
        p: the order of the norm; infinity gives the largest difference.
        eps: added to each difference before the norm.
        swap: take the nearer of anchor and positive as the distance to the negative.
    """

    def distance(a, b):
        """The norm of order ``p`` of a difference."""
        gap = a - b + eps
        general = Sum(Abs(gap) ** p, d) ** (1 / p)
        return where(p == 2, norm(gap, d), where(p == oo, Amax(Abs(gap), d), general))

    near = distance(anchor[s, d], positive[s, d])
    far = distance(anchor[s, d], negative[s, d])
    between = distance(positive[s, d], negative[s, d])
    apart = where(swap, Min(far, between), far)
    return Max(0, margin + near - apart, tie=1)
