from lossgen.language import Abs, NonNegative, Probabilities, Sum, c, loss, n, s


@loss(reference='Wang, Popordanoska et al., "Dice Semimetric Losses", MICCAI 2023')
def soft_label_dice(
    input: Probabilities[n, c, s], target: Probabilities[n, c, s], *, smooth: NonNegative = 1.0
):
    """Dice loss that is least where prediction and soft label agree."""
    mass = Sum(input[n, c, s] + target[n, c, s], s)
    apart = Sum(Abs(input[n, c, s] - target[n, c, s]), s)
    return 1 - (mass - apart + smooth) / (mass + smooth)
