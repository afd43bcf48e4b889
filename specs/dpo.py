from lossgen.language import LogProbabilities, Positive, Probabilities, log_sigmoid, loss, n


@loss(
    reference=(
        'Rafailov et al., "Direct Preference Optimization: Your Language Model is Secretly a '
        'Reward Model", NeurIPS 2023'
    ),
    family="preference",
    class_name="DPOLoss",
)
def dpo(
    chosen: LogProbabilities[n],
    rejected: LogProbabilities[n],
    ref_chosen: LogProbabilities[n],
    ref_rejected: LogProbabilities[n],
    *,
    beta: Positive = 0.1,
    label_smoothing: Probabilities = 0.0,
):
    """Preference loss on the log-probabilities of whole answers, policy against reference.

    Each entry is the sum over an answer's tokens, not their mean. Label smoothing is that of
    conservative DPO. The reference gets a gradient like any input; detach it if it must not.

    Args:
        beta: strength of the pull towards the reference.
        label_smoothing: probability that a preference is the wrong way round, below 1/2.
    """
    margin = beta * ((chosen[n] - rejected[n]) - (ref_chosen[n] - ref_rejected[n]))
    return -(1 - label_smoothing) * log_sigmoid(margin) - label_smoothing * log_sigmoid(-margin)
