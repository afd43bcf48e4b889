from lossgen.language import Abs, ExtendedReal, Positive, Real, e, limits, loss, oo


@loss(
    reference='Barron, "A General and Adaptive Robust Loss Function", CVPR 2019',
    family="robust",
)
def barron(input: Real[e], target: Real[e], *, alpha: ExtendedReal = 1.0, scale: Positive = 1.0):
    """Family of robust losses, from squared error to Welsch, with one shape parameter.

    The removable singularities of alpha at 2 (squared error), 0 (Cauchy) and minus infinity
    (Welsch) are filled by their limits; 1 is Charbonnier's and -2 Geman and McClure's loss. The
    loss is 0 at zero error whatever alpha. This is the paper's rho, not the negative logarithm of
    its distribution, so scale takes no part in a normaliser.

    Args:
        alpha: shape; the smaller, the less an outlier counts.
        scale: width of the quadratic bowl around zero.
    """
    error = (input[e] - target[e]) / scale
    width = Abs(alpha - 2)
    item = width / alpha * ((error**2 / width + 1) ** (alpha / 2) - 1)
    return limits(item, alpha, 0, 2, -oo)
