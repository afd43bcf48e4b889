from lossgen.language import Abs, Positive, Real, e, log, loss, where


@loss(
    reference=(
        'Feng et al., "Wing Loss for Robust Facial Landmark Localisation with Convolutional '
        'Neural Networks", CVPR 2018'
    ),
    family="robust",
)
def wing(input: Real[e], target: Real[e], *, width: Positive = 10.0, curvature: Positive = 2.0):
    """Logarithm of small errors and absolute value of large ones, for landmarks.

    The two parts meet at an error of width. At zero error the loss has a kink, whose slope is taken
    as 0.

    Args:
        width: the error up to which the logarithm holds (w in the paper).
        curvature: how sharply it bends (epsilon in the paper).
    """
    error = Abs(input[e] - target[e])
    offset = width - width * log(1 + width / curvature)
    return where(error < width, width * log(1 + error / curvature), error - offset)
