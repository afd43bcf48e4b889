from lossgen.language import Positive, Real, e, loss, sqrt


@loss(
    reference=(
        'Charbonnier et al., "Two Deterministic Half-Quadratic Regularization Algorithms for '
        'Computed Imaging", ICIP 1994'
    ),
    family="robust",
)
def charbonnier(input: Real[e], target: Real[e], *, eps: Positive = 1e-3):
    """Absolute error made smooth at zero: the root of the squared error plus eps squared.

    It is eps at zero error, not 0, and eps is squared inside the root; some codes add eps itself.

    Args:
        eps: the error below which the loss is rounded.
    """
    return sqrt((input[e] - target[e]) ** 2 + eps**2)
