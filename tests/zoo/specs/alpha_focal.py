from lossgen.language import (
    Binary,
    Logits,
    NonNegative,
    Probabilities,
    e,
    log_sigmoid,
    loss,
    sigmoid,
)


@loss(reference='Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017, equation 5')
def alpha_focal(
    input: Logits[e], target: Binary[e], *, alpha: Probabilities = 0.25, gamma: NonNegative = 2.0
):
    """Focal loss; alpha weighs label 1, and 1 - alpha label 0."""
    x, y = input[e], target[e]
    entropy = -y * log_sigmoid(x) - (1 - y) * log_sigmoid(-x)
    miss = y * sigmoid(-x) + (1 - y) * sigmoid(x)
    balance = alpha * y + (1 - alpha) * (1 - y)
    return balance * miss**gamma * entropy
