from lossgen.language import NonNegative, Probabilities, Sum, Weight, c, loss, n, s


@loss(reference='Milletari et al., "V-Net", 3DV 2016, with class weights')
def weighted_dice(
    input: Probabilities[n, c, s],
    target: Probabilities[n, c, s],
    weight: Weight[c] = None,
    *,
    smooth: NonNegative = 1.0,
):
    """Dice loss over all classes of a sample, each class weighted once."""
    overlap = Sum(weight[c] * input[n, c, s] * target[n, c, s], c, s)
    mass = Sum(weight[c] * (input[n, c, s] + target[n, c, s]), c, s)
    return 1 - (2 * overlap + smooth) / (mass + smooth)
