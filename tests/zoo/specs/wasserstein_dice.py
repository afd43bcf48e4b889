from lossgen.language import ClassIndex, Logits, Positive, Sum, at, c, loss, n, s, softmax, where


@loss(reference='Fidon et al., "Generalised Wasserstein Dice Score", BrainLes 2017')
def wasserstein_dice(input: Logits[n, c, s], target: ClassIndex[n, s], *, smooth: Positive = 1.0):
    """Generalised Wasserstein Dice loss: any two classes 1 apart, class 0 the background."""
    prob = softmax(input[n, c, s], c)
    error = 1 - at(prob, c=target[n, s])
    hit = Sum(where(target[n, s] != 0, 1 - error, 0), s)
    total = Sum(error, s)
    return 1 - (2 * hit + smooth) / (2 * hit + total + smooth)
