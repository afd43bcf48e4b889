from lossgen.language import Logits, NonNegative, Probabilities, Sum, c, loss, n, s, softmax


@loss(
    reference=(
        'Salehi, Erdogmus and Gholipour, "Tversky Loss Function for Image Segmentation Using 3D '
        'Fully Convolutional Deep Networks", MLMI 2017'
    ),
    family="segmentation",
)
def tversky(
    input: Logits[n, c, s],
    target: Probabilities[n, c, s],
    *,
    alpha: NonNegative = 0.3,
    beta: NonNegative = 0.7,
    smooth: NonNegative = 1.0,
):
    """Overlap loss that weighs false positives and false negatives apart.

    One value for each sample and class, whose mean is taken; the scores go through a softmax over
    classes. As in the paper, alpha weighs false positives and beta false negatives; with 1/2 each
    it is the Dice loss with twice the smoothing, with 1 each the Jaccard loss.

    Args:
        alpha: weight of the false positives.
        beta: weight of the false negatives.
        smooth: added to numerator and denominator, so that an empty class predicted empty costs 0.
    """
    prob = softmax(input[n, c, s], c)
    hit = Sum(prob * target[n, c, s], s)
    false_positive = Sum(prob * (1 - target[n, c, s]), s)
    false_negative = Sum((1 - prob) * target[n, c, s], s)
    error = alpha * false_positive + beta * false_negative
    return 1 - (hit + smooth) / (hit + error + smooth)
