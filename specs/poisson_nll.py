from lossgen.language import Flag, NonNegative, Positive, Real, e, exp, log, loss, pi, where


@loss(
    reference='Nelder and Wedderburn, "Generalized Linear Models", J. R. Statist. Soc. A 1972',
    family="probabilistic",
    class_name="PoissonNLLLoss",
    signature="input, target, log_input, full, size_average, eps, reduce, reduction",
    class_signature="log_input, full, size_average, eps, reduce, reduction",
)
def poisson_nll(
    input: Real[e],
    target: NonNegative[e],
    *,
    log_input: Flag = True,
    full: Flag = False,
    eps: Positive = 1e-8,
):
    """Negative log-likelihood of a count under a Poisson distribution, up to a constant.

    Args:
        log_input: the input is the logarithm of the rate, else the rate itself.
        full: add the logarithm of the target's factorial by Stirling's formula, where target > 1.
        eps: added to the rate inside the logarithm when log_input is False.
    """
    x, count = input[e], target[e]
    item = where(log_input, exp(x) - count * x, x - count * log(x + eps))
    stirling = where(count > 1, count * log(count) - count + log(2 * pi * count) / 2, 0)
    return where(full, item + stirling, item)
