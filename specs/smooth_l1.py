from lossgen.language import Abs, NonNegative, Real, e, loss, where


@loss(
    reference='Girshick, "Fast R-CNN", ICCV 2015',
    family="regression",
    class_name="SmoothL1Loss",
    signature="input, target, size_average, reduce, reduction, beta",
    class_signature="size_average, reduce, reduction, beta",
)
def smooth_l1(input: Real[e], target: Real[e], *, beta: NonNegative = 1.0):
    """Squared error below a threshold and absolute error above it, with slope at most 1.

    Equals the Huber loss divided by its threshold. With beta = 0 it is the absolute error, whose
    slope at zero error is 0.

    Args:
        beta: the error at which the parabola meets the straight line.
    """
    error = Abs(input[e] - target[e])
    bent = where(error < beta, error**2 / (2 * beta), error - beta / 2)
    return where(beta > 0, bent, error)
