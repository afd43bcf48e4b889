from lossgen.language import Embedding, Positive, Sum, at, d, i, j, logsumexp, loss, n, norm, where


@loss(
    reference=(
        'van den Oord, Li and Vinyals, "Representation Learning with Contrastive Predictive '
        'Coding", 2018'
    ),
    family="contrastive",
    class_name="InfoNCELoss",
)
def info_nce(query: Embedding[n, d], key: Embedding[n, d], *, tau: Positive = 0.1):
    """Cross-entropy of picking each query's own key among all keys of the batch, by cosine.

    Row i of the keys is the positive of query i, the other rows are its negatives. The loss looks
    one way, from queries to keys; `clip_loss` looks both ways. A zero row has cosine 0 with
    everything, and slope 0.

    Args:
        tau: temperature that divides the cosines.
    """

    def unit(z):
        length = norm(z, d)
        return where(length > 0, z / length, 0)

    queries, keys = unit(query[n, d]), unit(key[n, d])
    sim = Sum(at(queries, n=i) * at(keys, n=j), d) / tau
    return logsumexp(sim, j) - at(sim, j=i)
