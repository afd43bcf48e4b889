from lossgen.language import (
    ClassIndex,
    Integer,
    Logits,
    Probabilities,
    Sum,
    Weight,
    at,
    averaged,
    c,
    log_softmax,
    loss,
    n,
    s,
    size,
    where,
)


@loss(unbatched=True)
def cross_entropy_probabilities(
    input: Logits[n, c, s],
    target: Probabilities[n, c, s],
    weight: Weight[c] = None,
    *,
    label_smoothing: Probabilities = 0.0,
):
    """Cross-entropy between given class probabilities and the softmax of the scores."""
    smoothed = (1 - label_smoothing) * target[n, c, s] + label_smoothing / size(c)
    return -Sum(weight[c] * smoothed * log_softmax(input[n, c, s], c), c)


@loss(
    reference=(
        'Bridle, "Probabilistic Interpretation of Feedforward Classification Network Outputs", '
        '1990; Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", CVPR '
        "2016"
    ),
    family="classification",
    class_name="CrossEntropyLoss",
    signature=(
        "input, target, weight, size_average, ignore_index, reduce, reduction, label_smoothing"
    ),
    class_signature="weight, size_average, ignore_index, reduce, reduction, label_smoothing",
    unbatched=True,
    floating_target=cross_entropy_probabilities,
)
def cross_entropy(
    input: Logits[n, c, s],
    target: ClassIndex[n, s],
    weight: Weight[c] = None,
    *,
    ignore_index: Integer = -100,
    label_smoothing: Probabilities = 0.0,
):
    """Cross-entropy between a class label and the softmax of the scores.

    The target holds class indices or, when it is floating-point and of the input's shape, class
    probabilities. With indices the mean divides by the sum of the weights of the labels that are
    kept (without weights, by their number), so it is NaN when nothing is kept; with probabilities
    it divides by the number of positions. Smoothing weights each class by its own weight.

    Args:
        ignore_index: positions with this label count neither in the sum nor in the mean.
        label_smoothing: the share of the label spread evenly over all classes, in [0, 1].
    """
    kept = target[n, s] != ignore_index
    label = where(kept, target[n, s], 0)
    log_prob = log_softmax(input[n, c, s], c)
    class_weight = where(kept, weight[label], 0)
    hard = where(kept, -class_weight * at(log_prob, c=label), 0)
    soft = where(kept, -Sum(weight[c] * log_prob, c) / size(c), 0)
    smoothed = (1 - label_smoothing) * hard + label_smoothing * soft
    return averaged(where(label_smoothing > 0, smoothed, hard), over=class_weight)
