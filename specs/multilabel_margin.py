from lossgen.language import Any, LabelList, Logits, Max, Sum, c, k, loss, m, n, size, where


@loss(
    reference=(
        'Crammer and Singer, "A Family of Additive Online Algorithms for Category Ranking", JMLR '
        "2003"
    ),
    family="classification",
    class_name="MultiLabelMarginLoss",
    signature="input, target, size_average, reduce, reduction",
    class_signature="size_average, reduce, reduction",
    unbatched=True,
)
def multilabel_margin(input: Logits[n, c], target: LabelList[n, c]):
    """Hinge between each listed class and each class that is not listed.

    Each row of the target lists class indices up to the first negative entry. As in torch, an index
    listed twice counts twice, the divisor is the number of all classes, and the slope at the hinge
    is 0.
    """
    listed = not Any(target[n, m] < 0 and m <= k, m)
    label = where(listed, target[n, k], 0)
    positive = Any(listed and label == c, k)
    gap = Max(0, 1 - input[n, label] + input[n, c])
    return Sum(gap, k, c, where=listed and not positive) / size(c)
