from lossgen.language import (
    ClassIndex,
    Embedding,
    Learnable,
    NonNegative,
    Positive,
    Sum,
    acos,
    at,
    c,
    clip,
    cos,
    d,
    logsumexp,
    loss,
    n,
    norm,
    where,
)


@loss(
    reference=(
        'Deng et al., "ArcFace: Additive Angular Margin Loss for Deep Face Recognition", CVPR 2019'
    ),
    family="embedding",
    class_name="ArcFaceLoss",
)
def arcface(
    input: Embedding[n, d],
    target: ClassIndex[n],
    weight: Learnable[c, d],
    *,
    scale: Positive = 64.0,
    margin: NonNegative = 0.5,
    eps: Positive = 2**-23,
):
    """Cross-entropy of scaled cosines to class centres, the true angle widened by a margin.

    The paper's formula as it stands: an angle that the margin carries past pi is not treated apart,
    as the authors' code does. A zero row has cosine 0 with everything, and slope 0.

    Args:
        weight: one centre for each class.
        scale: multiplies the cosines.
        margin: added to the angle of the true class, in radians.
        eps: keeps the cosine this far from -1 and 1, where the angle has no slope. The default
            is the machine epsilon of float32, in which 1 - eps is exact.
    """

    def unit(z):
        length = norm(z, d)
        return where(length > 0, z / length, 0)

    rows, centres = unit(input[n, d]), unit(weight[c, d])
    cosine = Sum(rows * centres, d)
    angle = acos(clip(at(cosine, c=target[n]), eps - 1, 1 - eps))
    logit = scale * where(c == target[n], cos(angle + margin), cosine)
    return logsumexp(logit, c) - scale * cos(angle + margin)
