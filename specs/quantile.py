from lossgen.language import Max, Probabilities, Real, e, loss


@loss(
    reference='Koenker and Bassett, "Regression Quantiles", Econometrica 1978',
    family="regression",
)
def quantile(input: Real[e], target: Real[e], *, q: Probabilities = 0.5):
    """Pinball loss, whose minimiser is a quantile of the target rather than its mean.

    With q = 1/2 it is half the absolute error. The slope at zero error is that of an input above
    the target, 1 - q.

    Args:
        q: the quantile, in [0, 1]; above 1/2, an input below the target costs more.
    """
    error = target[e] - input[e]
    return Max(q * error, (q - 1) * error, tie=0)
