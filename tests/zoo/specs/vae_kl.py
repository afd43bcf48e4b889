from lossgen.language import Real, Sum, d, exp, loss, n


@loss(reference='Kingma and Welling, "Auto-Encoding Variational Bayes", ICLR 2014, appendix B')
def vae_kl(mean: Real[n, d], log_var: Real[n, d]):
    """KL divergence of a diagonal Gaussian from the standard one."""
    return -Sum(1 + log_var[n, d] - mean[n, d] ** 2 - exp(log_var[n, d]), d) / 2
