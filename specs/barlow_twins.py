from lossgen.language import Embedding, Mean, NonNegative, Positive, Sum, at, d, k, loss, n, sqrt


@loss(
    reference=(
        'Zbontar et al., "Barlow Twins: Self-Supervised Learning via Redundancy Reduction", ICML '
        "2021"
    ),
    family="self_supervised",
)
def barlow_twins(
    input1: Embedding[n, d],
    input2: Embedding[n, d],
    *,
    lambd: NonNegative = 0.005,
    eps: Positive = 1e-5,
):
    """Pulls the cross-correlation matrix of two views' features towards the identity.

    Features are standardised over the batch as batch normalisation does: the variance divides by
    the batch size and eps is added inside the root. The result is one number, summed over the
    matrix, not averaged.

    Args:
        lambd: weight of the off-diagonal part.
        eps: added to each variance.
    """

    def standardise(z):
        centred = z - Mean(z, n)
        return centred / sqrt(Mean(centred**2, n) + eps)

    unit1 = standardise(input1[n, d])
    unit2 = standardise(input2[n, d])
    corr = Mean(unit1 * at(unit2, d=k), n)
    on_diagonal = Sum((1 - at(corr, k=d)) ** 2, d)
    off_diagonal = Sum(corr**2, d, k, where=d != k)
    return on_diagonal + lambd * off_diagonal
