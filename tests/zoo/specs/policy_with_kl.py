from lossgen.language import LogProbabilities, NonNegative, Real, exp, loss, n


@loss(reference='Stiennon et al., "Learning to Summarize from Human Feedback", NeurIPS 2020')
def policy_with_kl(
    logp: LogProbabilities[n],
    old: LogProbabilities[n],
    reference: LogProbabilities[n],
    advantage: Real[n],
    *,
    beta: NonNegative = 0.1,
):
    """Importance-weighted policy loss with a penalty for leaving the reference."""
    ratio = exp(logp[n] - old[n])
    penalty = (logp[n] - reference[n]) ** 2 / 2
    return -ratio * advantage[n] + beta * penalty
