from lossgen.language import (
    Max,
    Probabilities,
    Weight,
    broadcast,
    e,
    log,
    loss,
    stop_gradient,
    straight_through,
    where,
)


@loss(
    reference='Good, "Rational Decisions", J. R. Statist. Soc. B 1952',
    family="classification",
    class_name="BCELoss",
    signature="input, target, weight, size_average, reduce, reduction",
    class_signature="weight, size_average, reduce, reduction",
)
def binary_cross_entropy(
    input: Probabilities[e], target: Probabilities[e], weight: Weight[broadcast(e)] = None
):
    """Cross-entropy between two Bernoulli distributions, given by their probabilities.

    As in torch, each logarithm is held at -100 or above, so the loss is finite at probabilities of
    0 and 1, and the slope there is (input - target) / 1e-12. Where scores are at hand,
    `binary_cross_entropy_with_logits_loss` is exact and needs neither. The mean divides by the
    number of elements, whatever the weights.
    """
    p, q = input[e], target[e]
    exact = -(q * log(p) + (1 - q) * log(1 - p))
    held = -(q * Max(log(p), -100) + (1 - q) * Max(log(1 - p), -100))
    # torch's slopes are (p - q) / max(p * (1 - p), 1e-12) and log(1 - p) - log(p): those of `exact`
    # where that maximum is the product, those of `in_p + in_q` where it is 1e-12.
    in_p = (p**2 / 2 - stop_gradient(q) * p) / 1e-12
    in_q = q * stop_gradient(log(1 - p) - log(p))
    at_ends = straight_through(held, gradient_of=in_p + in_q)
    return weight[e] * where(p * (1 - p) > 1e-12, exact, at_ends)
