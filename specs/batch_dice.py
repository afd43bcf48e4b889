from lossgen.language import Logits, NonNegative, Probabilities, Sum, c, loss, n, s, sigmoid


@loss(
    reference=(
        'Isensee et al., "nnU-Net: a Self-configuring Method for Deep Learning-based Biomedical '
        'Image Segmentation", Nature Methods 2021'
    ),
    family="segmentation",
)
def batch_dice(
    input: Logits[n, c, s], target: Probabilities[n, c, s], *, smooth: NonNegative = 1.0
):
    """Soft Dice loss of the whole batch: the samples are summed before the ratio is taken.

    One value for each class, whose mean is taken. Unlike `dice_loss` this is no mean over samples,
    so a small structure that is absent from some samples is not scored there by itself. Each class
    has its own sigmoid.

    Args:
        smooth: added to numerator and denominator, so that an empty class predicted empty costs 0.
    """
    prob = sigmoid(input[n, c, s])
    overlap = Sum(prob * target[n, c, s], n, s)
    mass = Sum(prob + target[n, c, s], n, s)
    return 1 - (2 * overlap + smooth) / (mass + smooth)
