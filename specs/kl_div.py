from lossgen.language import (
    Flag,
    LogProbabilities,
    Probabilities,
    averaged,
    exp,
    loss,
    n,
    s,
    size,
    where,
    xlogy,
)


@loss(
    reference='Kullback and Leibler, "On Information and Sufficiency", Ann. Math. Statist. 1951',
    family="probabilistic",
    class_name="KLDivLoss",
    signature="input, target, size_average, reduce, reduction, log_target",
    class_signature="size_average, reduce, reduction, log_target",
    unbatched=True,
)
def kl_div(input: LogProbabilities[n, s], target: Probabilities[n, s], *, log_target: Flag = False):
    """Elementwise KL(target || input), with the input as log-probabilities.

    As in torch, `mean` divides by the number of elements; `batchmean` divides by the size of the
    first axis, which is the divergence of the definition. A target of 0 adds 0.

    Args:
        log_target: the target, too, holds log-probabilities.
    """
    log_p, q = input[n, s], target[n, s]
    item = where(log_target, exp(q) * (q - log_p), xlogy(q, q) - q * log_p)
    return averaged(item, batchmean=size(n))
