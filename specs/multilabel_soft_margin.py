from lossgen.language import Binary, Logits, Mean, Weight, broadcast, c, loss, s, softplus


@loss(
    reference=(
        'Zhang and Zhou, "Multilabel Neural Networks with Applications to Functional Genomics '
        'and Text Categorization", IEEE TKDE 2006'
    ),
    family="classification",
    class_name="MultiLabelSoftMarginLoss",
    signature="input, target, weight, size_average, reduce, reduction",
    class_signature="weight, size_average, reduce, reduction",
)
def multilabel_soft_margin(
    input: Logits[s, c], target: Binary[s, c], weight: Weight[broadcast(s), broadcast(c)] = None
):
    """Binary cross-entropy of each class' sigmoid, averaged over the classes, the last axis.

    The divisor is the number of classes, whatever the weights.
    """
    hit = target[s, c] * softplus(-input[s, c])
    miss = (1 - target[s, c]) * softplus(input[s, c])
    return Mean(weight[s, c] * (hit + miss), c)
