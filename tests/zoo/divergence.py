"""Divergences and policy losses that shipped wrong, each beside its right version."""

import math

import torch
from torch import Tensor


def jensen_shannon(
    student: Tensor, teacher: Tensor, beta: float = 0.5, temperature: float = 1.0
) -> Tensor:
    log_p = (student / temperature).log_softmax(-1)
    log_q = (teacher / temperature).log_softmax(-1)
    p, q = log_p.exp(), log_q.exp()
    if beta == 0:
        return (q * (log_q - log_p)).sum(-1).mean()
    if beta == 1:
        return (p * (log_p - log_q)).sum(-1).mean()
    log_mix = torch.logaddexp(log_q + math.log(beta), log_p + math.log1p(-beta))
    item = beta * q * (log_q - log_mix) + (1 - beta) * p * (log_p - log_mix)
    return item.sum(-1).mean()


def jensen_shannon_swapped(
    student: Tensor, teacher: Tensor, beta: float = 0.5, temperature: float = 1.0
) -> Tensor:
    """The mixture weighs the student by beta, the divergences the teacher."""
    log_p = (student / temperature).log_softmax(-1)
    log_q = (teacher / temperature).log_softmax(-1)
    p, q = log_p.exp(), log_q.exp()
    if beta == 0:
        return (q * (log_q - log_p)).sum(-1).mean()
    if beta == 1:
        return (p * (log_p - log_q)).sum(-1).mean()
    log_mix = (beta * p + (1 - beta) * q).log()
    item = beta * q * (log_q - log_mix) + (1 - beta) * p * (log_p - log_mix)
    return item.sum(-1).mean()


def jensen_shannon_without_ends(
    student: Tensor, teacher: Tensor, beta: float = 0.5, temperature: float = 1.0
) -> Tensor:
    """At beta = 0 and 1 the loss is 0 whatever the student says."""
    log_p = (student / temperature).log_softmax(-1)
    log_q = (teacher / temperature).log_softmax(-1)
    p, q = log_p.exp(), log_q.exp()
    log_mix = (beta * q + (1 - beta) * p).log()
    item = beta * q * (log_q - log_mix) + (1 - beta) * p * (log_p - log_mix)
    return item.sum(-1).mean()


def vae_kl(mean: Tensor, log_var: Tensor) -> Tensor:
    return (-0.5 * (1 + log_var - mean**2 - log_var.exp()).sum(1)).mean()


def vae_kl_squared(mean: Tensor, log_var: Tensor) -> Tensor:
    """The square of the log-variance stands where the variance should."""
    return (-0.5 * (1 + log_var - mean**2 - log_var**2).sum(1)).mean()


def policy_with_kl(
    logp: Tensor, old: Tensor, reference: Tensor, advantage: Tensor, beta: float = 0.1
) -> Tensor:
    penalty = 0.5 * (logp - reference) ** 2
    return (-(logp - old).exp() * advantage + beta * penalty).mean()


def policy_with_kl_detached(
    logp: Tensor, old: Tensor, reference: Tensor, advantage: Tensor, beta: float = 0.1
) -> Tensor:
    """The penalty is computed under no_grad: it changes the number and trains nothing."""
    with torch.no_grad():
        penalty = 0.5 * (logp - reference) ** 2
    return (-(logp - old).exp() * advantage + beta * penalty).mean()


def masked_mean(logp: Tensor, mask: Tensor) -> Tensor:
    return -(logp * mask).sum() / mask.sum()


def masked_mean_of_means(logp: Tensor, mask: Tensor) -> Tensor:
    """The mean of each answer's mean: a short answer's tokens count more."""
    return -((logp * mask).sum(1) / mask.sum(1).clamp(min=1)).mean()


def min_snr(input: Tensor, target: Tensor, snr: Tensor, gamma: float = 5.0) -> Tensor:
    weight = snr.clamp(max=gamma) / (snr + 1)
    return (weight * ((input - target) ** 2).flatten(1).mean(1)).mean()


def min_snr_of_noise(input: Tensor, target: Tensor, snr: Tensor, gamma: float = 5.0) -> Tensor:
    """The weight of noise prediction, used for v-prediction."""
    weight = snr.clamp(max=gamma) / snr
    return (weight * ((input - target) ** 2).flatten(1).mean(1)).mean()
