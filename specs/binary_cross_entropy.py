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
    fixed = stop_gradient(p)
    held = -(q * Max(log(fixed), -100) + (1 - q) * Max(log(1 - fixed), -100))
    # torch's slope in p is (p - q) / max(p * (1 - p), 1e-12): exact, but at the ends.
    inside = p * (1 - p) > 1e-12
    at_ends = held + (p - stop_gradient(q)) ** 2 / 2e-12
    slopes = where(inside, -(q * log(p) + (1 - q) * log(1 - p)), at_ends)
    return weight[e] * straight_through(held, gradient_of=slopes)
