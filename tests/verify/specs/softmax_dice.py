from lossgen.language import Logits, NonNegative, Probabilities, Sum, c, loss, n, s, softmax


@loss()
def softmax_dice(
    input: Logits[n, c, s], target: Probabilities[n, c, s], *, smooth: NonNegative = 1
):
    """Soft Dice loss of the softmax."""
    prob = softmax(input[n, c, s], c)
    overlap = Sum(prob * target[n, c, s], s)
    return 1 - (2 * overlap + smooth) / (Sum(prob + target[n, c, s], s) + smooth)
