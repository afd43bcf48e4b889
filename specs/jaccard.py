from lossgen.language import Logits, NonNegative, Probabilities, Sum, c, loss, n, s, sigmoid


@loss(
    reference=(
        'Rahman and Wang, "Optimizing Intersection-Over-Union in Deep Neural Networks for Image '
        'Segmentation", ISVC 2016'
    ),
    family="segmentation",
)
def jaccard(input: Logits[n, c, s], target: Probabilities[n, c, s], *, smooth: NonNegative = 1.0):
    """Soft Jaccard (intersection over union) loss of prediction and target.

    One value for each sample and class, whose mean is taken; each class has its own sigmoid. With
    targets strictly between 0 and 1 the minimum is not at input = target, as with every overlap
    loss that multiplies probabilities. With smooth = 0 an empty class predicted empty is 0 / 0.

    Args:
        smooth: added to numerator and denominator, so that an empty class predicted empty costs 0.
    """
    prob = sigmoid(input[n, c, s])
    overlap = Sum(prob * target[n, c, s], s)
    union = Sum(prob + target[n, c, s], s) - overlap
    return 1 - (overlap + smooth) / (union + smooth)
