from lossgen.language import Logits, NonNegative, Probabilities, Sum, c, loss, n, s, sigmoid


@loss(
    reference=(
        'Milletari, Navab and Ahmadi, "V-Net: Fully Convolutional Neural Networks for Volumetric '
        'Medical Image Segmentation", 3DV 2016'
    ),
    family="segmentation",
)
def dice(input: Logits[n, c, s], target: Probabilities[n, c, s], *, smooth: NonNegative = 1.0):
    """Soft Dice loss: one minus the smoothed overlap of prediction and target.

    One value for each sample and class, whose mean is taken; `batch_dice_loss` sums over the batch
    first. Each class has its own sigmoid, and the masses are not squared (V-Net squares them).
    With smooth = 0 an empty class predicted empty is 0 / 0.

    Args:
        smooth: added to numerator and denominator, so that an empty class predicted empty costs 0.
    """
    prob = sigmoid(input[n, c, s])
    overlap = Sum(prob * target[n, c, s], s)
    mass = Sum(prob + target[n, c, s], s)
    return 1 - (2 * overlap + smooth) / (mass + smooth)
