from lossgen.language import Mean, Min, Positive, Real, loss, n, s


@loss(reference='Hang et al., "Efficient Diffusion Training via Min-SNR Weighting", ICCV 2023')
def min_snr(input: Real[n, s], target: Real[n, s], snr: Positive[n], *, gamma: Positive = 5.0):
    """Squared error of v-prediction, weighted by min(SNR, gamma) / (SNR + 1)."""
    weight = Min(snr[n], gamma) / (snr[n] + 1)
    return weight * Mean((input[n, s] - target[n, s]) ** 2, s)
