from lossgen.language import (
    ClassIndex,
    Integer,
    LogProbabilities,
    Weight,
    averaged,
    c,
    loss,
    n,
    s,
    where,
)


@loss(
    reference='Fisher, "On the Mathematical Foundations of Theoretical Statistics", 1922',
    family="classification",
    class_name="NLLLoss",
    signature="input, target, weight, size_average, ignore_index, reduce, reduction",
    class_signature="weight, size_average, ignore_index, reduce, reduction",
    unbatched=True,
)
def nll(
    input: LogProbabilities[n, c, s],
    target: ClassIndex[n, s],
    weight: Weight[c] = None,
    *,
    ignore_index: Integer = -100,
):
    """Negative log-likelihood of a class label, given log-probabilities.

    The mean divides by the sum of the weights of the labels that are kept (without weights, by
    their number), so it is NaN when nothing is kept.

    Args:
        ignore_index: positions with this label count neither in the sum nor in the mean.
    """
    kept = target[n, s] != ignore_index
    label = where(kept, target[n, s], 0)
    class_weight = where(kept, weight[label], 0)
    return averaged(where(kept, -class_weight * input[n, label, s], 0), over=class_weight)
