from lossgen.language import Probabilities, clip, e, log, loss


@loss(reference="Binary cross-entropy of probabilities held away from 0 and 1")
def clamped_bce(input: Probabilities[e], target: Probabilities[e]):
    """Binary cross-entropy of probabilities clamped to [1e-6, 1 - 1e-6]."""
    prob = clip(input[e], 1e-6, 1 - 1e-6)
    return -target[e] * log(prob) - (1 - target[e]) * log(1 - prob)
