from lossgen.language import Mean, Positive, Real, loss, n, s


@loss(reference='Wang et al., "Image Quality Assessment", IEEE TIP 2004')
def global_ssim(input: Real[n, s], target: Real[n, s], *, c1: Positive = 0.01, c2: Positive = 0.03):
    """One minus the structural similarity of two images, one window for all of each."""
    mean_x, mean_y = Mean(input[n, s], s), Mean(target[n, s], s)
    spread_x = Mean((input[n, s] - mean_x) ** 2, s)
    spread_y = Mean((target[n, s] - mean_y) ** 2, s)
    joint = Mean((input[n, s] - mean_x) * (target[n, s] - mean_y), s)
    above = (2 * mean_x * mean_y + c1) * (2 * joint + c2)
    return 1 - above / ((mean_x**2 + mean_y**2 + c1) * (spread_x + spread_y + c2))
