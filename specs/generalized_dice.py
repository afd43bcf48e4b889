from lossgen.language import (
    Amax,
    Logits,
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
        'Sudre et al., "Generalised Dice Overlap as a Deep Learning Loss Function for Highly '
        'Unbalanced Segmentations", DLMIA 2017'
    ),
    family="segmentation",
)
def generalized_dice(
    input: Logits[n, c, s], target: Probabilities[n, c, s], *, smooth: Positive = 1e-5
):
    """Dice loss over all classes at once, each weighted by one over its squared volume.

    One value for each sample, whose mean is taken. The scores go through a softmax over classes.
    The volume is the target's; a class absent from the target, which the paper leaves open, gets
    the largest weight of the classes that are present in the sample, as in MONAI.

    Args:
        smooth: added to numerator and denominator.
    """
    prob = softmax(input[n, c, s], c)
    volume = Sum(target[n, c, s], s)
    inverse = where(volume > 0, 1 / volume**2, 0)
    balance = where(volume > 0, inverse, Amax(inverse, c))
    class_overlap = Sum(prob * target[n, c, s], s)
    class_mass = Sum(prob + target[n, c, s], s)
    overlap = Sum(balance * class_overlap, c)
    mass = Sum(balance * class_mass, c)
    return 1 - (2 * overlap + smooth) / (mass + smooth)
