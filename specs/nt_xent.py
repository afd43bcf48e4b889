from lossgen.language import (
    Embedding,
    Positive,
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
        'Chen et al., "A Simple Framework for Contrastive Learning of Visual Representations", '
        "ICML 2020"
    ),
    family="contrastive",
    class_name="NTXentLoss",
)
def nt_xent(first: Embedding[n, d], second: Embedding[n, d], *, tau: Positive = 0.5):
    """SimCLR's loss: each view picks its counterpart among all other rows of both views.

    One value for each sample, the mean of its two views, so that the mean over the batch is the
    paper's mean over 2 N rows. A row is no negative of itself. A zero row has cosine 0 with
    everything, and slope 0.

    Args:
        tau: temperature that divides the cosines.
    """

    def unit(z):
        length = norm(z, d)
        return where(length > 0, z / length, 0)

    a, b = unit(first[n, d]), unit(second[n, d])
    cross = Sum(at(a, n=i) * at(b, n=j), d) / tau
    within_a = Sum(at(a, n=i) * at(a, n=j), d) / tau
    within_b = Sum(at(b, n=i) * at(b, n=j), d) / tau
    own = at(cross, j=i)
    others_a = logsumexp(within_a, j, where=i != j)
    others_b = logsumexp(within_b, j, where=i != j)
    across_a = logsumexp(cross, j)
    across_b = logsumexp(at(cross, i=j, j=i), j)
    loss_a = across_a + softplus(others_a - across_a) - own
    loss_b = across_b + softplus(others_b - across_b) - own
    return (loss_a + loss_b) / 2
