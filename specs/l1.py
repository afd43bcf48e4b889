from lossgen.language import Abs, Real, Weight, averaged, e, loss


@loss(
    reference='Boscovich, "De litteraria expeditione per pontificiam ditionem", 1757',
    family="regression",
    class_name="L1Loss",
    signature="input, target, size_average, reduce, reduction, weight",
    class_signature="size_average, reduce, reduction",
    forward="weight",
)
def l1(input: Real[e], target: Real[e], weight: Weight[e] = None):
    """Absolute error, elementwise.

    As in torch, a weighted mean divides by the sum of the weights, not by the number of elements,
    and the slope at zero error is 0.
    """
    return averaged(weight[e] * Abs(input[e] - target[e]), over=weight[e])
