from lossgen.language import Abs, Positive, Real, Weight, e, loss, where


@loss(
    reference='Huber, "Robust Estimation of a Location Parameter", Ann. Math. Statist. 1964',
    family="regression",
    class_name="HuberLoss",
    signature="input, target, reduction, delta, weight",
    class_signature="reduction, delta",
    forward="weight",
)
def huber(input: Real[e], target: Real[e], weight: Weight[e] = None, *, delta: Positive = 1.0):
    """Half the squared error below a threshold, a straight line of slope delta above it.

    As in torch, a weighted mean divides by the number of elements; `mse_loss` and `l1_loss` divide
    by the sum of the weights.

    Args:
        delta: the error at which the parabola meets the straight line.
    """
    error = Abs(input[e] - target[e])
    item = where(error <= delta, error**2 / 2, delta * (error - delta / 2))
    return weight[e] * item
