from lossgen.language import (
    Embedding,
    Max,
    Mean,
    NonNegative,
    Positive,
    Sum,
    at,
    d,
    k,
    loss,
    n,
    size,
    sqrt,
)


@loss(
    reference=(
        'Bardes, Ponce and LeCun, "VICReg: Variance-Invariance-Covariance Regularization for '
        'Self-Supervised Learning", ICLR 2022'
    ),
    family="self_supervised",
    class_name="VICRegLoss",
)
def vicreg(
    input1: Embedding[n, d],
    input2: Embedding[n, d],
    *,
    invariance: NonNegative = 25.0,
    variance: NonNegative = 25.0,
    covariance: NonNegative = 1.0,
    gamma: Positive = 1.0,
    eps: Positive = 1e-4,
):
    """Two views agree, each feature keeps its spread, features stay uncorrelated.

    Follows the authors' code: the invariance is averaged over samples and features, the variance
    term over the two views (the paper adds them), variance and covariance divide by N - 1, and eps
    is added inside the root. A batch of one is 0 / 0.

    Args:
        invariance: weight of the squared distance of the views.
        variance: weight of the hinge on each feature's standard deviation.
        covariance: weight of the squared covariances.
        gamma: the standard deviation that is asked for.
        eps: added to each variance.
    """

    def penalties(z):
        """The hinge on the spread of a view's features, and their squared covariances."""
        centred = z - Mean(z, n)
        std = sqrt(Sum(centred**2, n) / (size(n) - 1) + eps)
        cov = Sum(centred * at(centred, d=k), n) / (size(n) - 1)
        return Mean(Max(0, gamma - std), d) / 2, Sum(cov**2, d, k, where=d != k) / size(d)

    hinge1, spread1 = penalties(input1[n, d])
    hinge2, spread2 = penalties(input2[n, d])
    near = Mean((input1[n, d] - input2[n, d]) ** 2, n, d)
    return invariance * near + variance * (hinge1 + hinge2) + covariance * (spread1 + spread2)
