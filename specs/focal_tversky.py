from lossgen.language import (
    Logits,
    NonNegative,
    Positive,
    Probabilities,
    Sum,
    c,
    loss,
    n,
    s,
    softmax,
    where,
)


@loss(
    reference=(
        'Abraham and Khan, "A Novel Focal Tversky Loss Function with Improved Attention U-Net '
        'for Lesion Segmentation", ISBI 2019'
    ),
    family="segmentation",
)
def focal_tversky(
    input: Logits[n, c, s],
    target: Probabilities[n, c, s],
    *,
    alpha: NonNegative = 0.3,
    beta: NonNegative = 0.7,
    gamma: Positive = 4 / 3,
    smooth: Positive = 1.0,
):
    """Tversky loss to the power 1 / gamma, which shifts weight between easy and hard.

    One value for each sample and class, whose mean is taken; the scores go through a softmax over
    classes. The exponent is the paper's 1 / gamma (its published code and others call the exponent
    itself gamma). Alpha weighs false positives and beta false negatives, as in `tversky_loss`; the
    paper names them the other way round. One minus the Tversky index is written as the error's
    share, which is the same; where there is no error, loss and slope are 0.

    Args:
        alpha: weight of the false positives.
        beta: weight of the false negatives.
        gamma: above 1, lifts the classes that are nearly right.
        smooth: added to the denominator of the error's share.
    """
    prob = softmax(input[n, c, s], c)
    hit = Sum(prob * target[n, c, s], s)
    false_positive = Sum(prob * (1 - target[n, c, s]), s)
    false_negative = Sum((1 - prob) * target[n, c, s], s)
    error = alpha * false_positive + beta * false_negative
    share = error / (hit + error + smooth)
    return where(share > 0, share ** (1 / gamma), 0)
