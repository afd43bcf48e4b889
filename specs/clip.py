from lossgen.language import (
    Embedding,
    Learnable,
    Sum,
    at,
    d,
    exp,
    i,
    j,
    logsumexp,
    loss,
    n,
    norm,
    where,
)


@loss(
    reference=(
        'Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", '
        "ICML 2021"
    ),
    family="contrastive",
    class_name="CLIPLoss",
)
def clip(image: Embedding[n, d], text: Embedding[n, d], logit_scale: Learnable):
    """Contrastive loss of matched pairs, from images to texts and from texts to images.

    One value for each pair, the mean of its two directions. The scale is learnt as a logarithm;
    the paper starts it at log(1 / 0.07) and keeps it below log(100), which is left to the caller.
    A zero row has cosine 0 with everything, and slope 0.

    Args:
        logit_scale: logarithm of what multiplies the cosines.
    """

    def unit(z):
        length = norm(z, d)
        return where(length > 0, z / length, 0)

    images, texts = unit(image[n, d]), unit(text[n, d])
    cosine = Sum(at(images, n=i) * at(texts, n=j), d)
    sim = exp(logit_scale) * cosine
    to_text = logsumexp(sim, j)
    to_image = logsumexp(at(sim, i=j, j=i), j)
    return (to_text + to_image) / 2 - at(sim, j=i)
