from lossgen.language import Real, Weight, averaged, e, loss


@loss(
    reference='Legendre, "Nouvelles méthodes pour la détermination des orbites des comètes", 1805',
    family="regression",
    class_name="MSELoss",
    signature="input, target, size_average, reduce, reduction, weight",
    class_signature="size_average, reduce, reduction",
    forward="weight",
)
def mse(input: Real[e], target: Real[e], weight: Weight[e] = None):
    """Squared error, elementwise.

    As in torch there is no factor one half, and a weighted mean divides by the sum of the weights,
    not by the number of elements.
    """
    return averaged(weight[e] * (input[e] - target[e]) ** 2, over=weight[e])
