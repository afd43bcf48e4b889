from lossgen.language import LogProbabilities, Mask, averaged, loss, n, t, where


@loss(reference="Negative log-likelihood, averaged over all tokens of the batch")
def masked_mean(logp: LogProbabilities[n, t], mask: Mask[n, t]):
    """Negative log-likelihood of tokens; the mean divides by the tokens that count."""
    return averaged(where(mask[n, t], -logp[n, t], 0), over=where(mask[n, t], 1, 0))
