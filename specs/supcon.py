from lossgen.language import (
    Any,
    ClassIndex,
    Embedding,
    Mean,
    Positive,
    Sum,
    at,
    averaged,
    d,
    i,
    j,
    logsumexp,
    loss,
    n,
    norm,
    where,
)


@loss(
    reference='Khosla et al., "Supervised Contrastive Learning", NeurIPS 2020',
    family="contrastive",
    class_name="SupConLoss",
)
def supcon(input: Embedding[n, d], target: ClassIndex[n], *, tau: Positive = 0.1):
    """Contrastive loss in which all rows of the same class are each other's positives.

    The paper's L_out: the mean over positives stands outside the logarithm. There is no second
    factor tau / base_temperature, as the authors' code has. A row without a positive adds 0 and is
    left out of the mean's divisor, so the mean is NaN when no two labels agree. A zero row has
    cosine 0 with everything, and slope 0.

    Args:
        tau: temperature that divides the cosines.
    """

    def unit(z):
        length = norm(z, d)
        return where(length > 0, z / length, 0)

    rows = unit(input[n, d])
    sim = Sum(at(rows, n=i) * at(rows, n=j), d) / tau
    positive = target[i] == target[j] and i != j
    log_prob = sim - logsumexp(sim, j, where=i != j)
    item = -Mean(log_prob, j, where=positive, empty=0)
    return averaged(item, over=where(Any(positive, j), 1, 0))
