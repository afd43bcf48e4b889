from lossgen.language import Embedding, Max, Real, Sign, Sum, d, loss, n, sqrt, where


@loss(
    reference=(
        'Bromley et al., "Signature Verification using a Siamese Time Delay Neural Network", '
        "NIPS 1993"
    ),
    family="embedding",
    class_name="CosineEmbeddingLoss",
    signature="input1, input2, target, margin, size_average, reduce, reduction",
    class_signature="margin, size_average, reduce, reduction",
    unbatched=True,
)
def cosine_embedding(
    input1: Embedding[n, d], input2: Embedding[n, d], target: Sign[n], *, margin: Real = 0.0
):
    """One minus the cosine where the target is 1, its hinge above a margin where it is -1.

    As in torch, 1e-12 is added to each squared length, so that a zero vector has cosine 0; any
    other target gives 0. The slope at the hinge is that of its active side, as in torch before
    2.14.
    """
    dot = Sum(input1[n, d] * input2[n, d], d)
    square1 = Sum(input1[n, d] ** 2, d) + 1e-12
    square2 = Sum(input2[n, d] ** 2, d) + 1e-12
    cosine = dot / sqrt(square1 * square2)
    apart = where(target[n] == -1, Max(0, cosine - margin, tie=1), 0)
    return where(target[n] == 1, 1 - cosine, apart)
