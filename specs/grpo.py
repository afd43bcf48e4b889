from lossgen.language import (
    LogProbabilities,
    Mask,
    Mean,
    Min,
    NonNegative,
    Positive,
    Real,
    clip,
    exp,
    given,
    loss,
    n,
    stop_gradient,
    t,
    where,
)


@loss(
    reference=(
        'Shao et al., "DeepSeekMath: Pushing the Limits of Mathematical Reasoning in Open '
        'Language Models", 2024'
    ),
    family="preference",
    class_name="GRPOLoss",
)
def grpo(
    logp: LogProbabilities[n, t],
    advantage: Real[n],
    mask: Mask[n, t] = None,
    old: LogProbabilities[n, t] = None,
    ref: LogProbabilities[n, t] = None,
    *,
    eps_low: Positive = 0.2,
    eps_high: Positive = 0.2,
    beta: NonNegative = 0.04,
):
    """Clipped policy-gradient loss of sampled answers, penalised for leaving a reference.

    One value for each answer, the mean over its own tokens as in the paper (DAPO and Dr. GRPO
    divide otherwise); an answer without tokens costs 0 and still counts in the mean. Without `old`
    the sampling policy is the current one, held constant. The penalty is the estimator
    exp(r) - r - 1 with r = ref - logp, and only taken when `ref` is given.

    Args:
        advantage: one number for each answer, already normalised within its group.
        mask: the tokens that count.
        old: log-probabilities under the policy that sampled the answers.
        ref: log-probabilities under the reference policy.
        eps_low: the ratio is held at 1 - eps_low or above.
        eps_high: the ratio is held at 1 + eps_high or below; DAPO takes 0.28.
        beta: weight of the penalty.
    """
    start = where(given(old), old[n, t], stop_gradient(logp[n, t]))
    ratio = exp(logp[n, t] - start)
    clipped = clip(ratio, 1 - eps_low, 1 + eps_high)
    token = -Min(ratio * advantage[n], clipped * advantage[n])
    drift = ref[n, t] - logp[n, t]
    item = where(given(ref), token + beta * (exp(drift) - drift - 1), token)
    return Mean(item, t, where=mask[n, t], empty=0)
