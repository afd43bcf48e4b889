from lossgen.language import (
    Flag,
    Max,
    Positive,
    Real,
    broadcast,
    e,
    log,
    loss,
    pi,
    straight_through,
    where,
)


@loss(
    reference=(
        'Nix and Weigend, "Estimating the Mean and Variance of the Target Probability '
        'Distribution", ICNN 1994'
    ),
    family="probabilistic",
    class_name="GaussianNLLLoss",
    signature="input, target, var, full, eps, reduction",
    class_signature="*, full, eps, reduction",
)
def gaussian_nll(
    input: Real[e],
    target: Real[broadcast(e)],
    var: Positive[broadcast(e)],
    *,
    full: Flag = False,
    eps: Positive = 1e-6,
):
    """Negative log-likelihood under a Gaussian whose mean and variance are predicted.

    As in torch, the variance is held at eps or above, and its gradient is taken as if that bound
    were not there.

    Args:
        full: add the constant log(2 pi) / 2.
        eps: the least variance.
    """
    spread = straight_through(Max(var[e], eps), gradient_of=var[e])
    item = (log(spread) + (input[e] - target[e]) ** 2 / spread) / 2
    return where(full, item + log(2 * pi) / 2, item)
