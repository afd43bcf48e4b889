from lossgen.language import (
    Embedding,
    Learnable,
    Sum,
    at,
    d,
    exp,
    i,
    j,
    loss,
    n,
    norm,
    softplus,
    where,
)


@loss(
    reference='Zhai et al., "Sigmoid Loss for Language Image Pre-Training", ICCV 2023',
    family="contrastive",
    class_name="SigLIPLoss",
)
def siglip(
    image: Embedding[n, d], text: Embedding[n, d], logit_scale: Learnable, logit_bias: Learnable
):
    """Contrastive loss that tells matched from unmatched pairs, each pair by itself.

    One value for each image, summed over the texts; the mean divides by the batch size, as in the
    paper. The paper starts the scale at log(10) and the bias at -10. A zero row has cosine 0 with
    everything, and slope 0.

    Args:
        logit_scale: logarithm of what multiplies the cosines.
        logit_bias: added to every score, against the many unmatched pairs.
    """

    def unit(z):
        length = norm(z, d)
        return where(length > 0, z / length, 0)

    images, texts = unit(image[n, d]), unit(text[n, d])
    cosine = Sum(at(images, n=i) * at(texts, n=j), d)
    sim = exp(logit_scale) * cosine + logit_bias
    label = 2 * (i == j) - 1  # 1 for a matched pair, -1 for any other
    return Sum(softplus(-label * sim), j)
