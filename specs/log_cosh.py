from lossgen.language import Real, cosh, e, log, loss


@loss(
    reference=(
        'Green, "Bayesian Reconstructions from Emission Tomography Data Using a Modified EM '
        'Algorithm", IEEE TMI 1990'
    ),
    family="robust",
)
def log_cosh(input: Real[e], target: Real[e]):
    """Log of the hyperbolic cosine of the error: a parabola when small, a line when large."""
    return log(cosh(input[e] - target[e]))
