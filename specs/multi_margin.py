from lossgen.language import ClassIndex, Logits, Max, Real, Sum, Weight, c, choice, loss, n, size


@loss(
    reference=(
        'Crammer and Singer, "On the Algorithmic Implementation of Multiclass Kernel-based '
        'Vector Machines", JMLR 2001'
    ),
    family="classification",
    class_name="MultiMarginLoss",
    signature="input, target, p, margin, weight, size_average, reduce, reduction",
    class_signature="p, margin, weight, size_average, reduce, reduction",
    unbatched=True,
)
def multi_margin(
    input: Logits[n, c],
    target: ClassIndex[n],
    weight: Weight[c] = None,
    *,
    p: choice(1, 2) = 1,
    margin: Real = 1.0,
):
    """Hinge, or its square, between the labelled class and every other.

    As in torch, the sum runs over the other classes but is divided by the number of all, the
    label's weight multiplies the (squared) hinge, the mean divides by the number of samples
    whatever the weights, and the slope at the hinge is 0.

    Args:
        p: the power of the hinge.
        margin: the lead that the labelled class is asked to have.
    """
    gap = Max(0, margin - input[n, target[n]] + input[n, c])
    return weight[target[n]] * Sum(gap**p, c, where=c != target[n]) / size(c)
