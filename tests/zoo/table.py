"""The zoo: real bugs of released losses, which loss shows each, and what the mistake is called.

Left out, because no closed formula of one process states them:

- pytorch#52241, the CTC gradient with respect to log-probabilities: a recurrence over alignments.
- trl#2277, Nash-MD: the gradient is wrong in expectation over sampled answers, not for any of them.
- nnUNet#1354, Dice under DDP not summed after gathering: needs several ranks.

SSIM (MONAI#5686) is a sum over windows; what went wrong, no gradient, is shown with one window.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.zoo import divergence, focal, overlap, regression

SPECS = Path(__file__).parent / "specs"


@dataclass(frozen=True, eq=False)
class Bug:
    """A bug: where it shipped, the wrong loss beside the right one, and words of the diagnosis."""

    where: str
    module: ModuleType
    wrong: str
    right: str
    spec: str
    mistake: str = ""
    how: Mapping[str, Any] = field(default_factory=dict)

    @property
    def formula(self) -> str:
        """A spec of the zoo's own, else one of the catalogue."""
        own = SPECS / f"{self.spec}.py"
        return str(own) if own.is_file() else self.spec

    def code(self, name: str) -> Callable[..., Any]:
        """One of the two losses."""
        found: Callable[..., Any] = getattr(self.module, name)
        return found


BUGS = (
    Bug(
        "keras#23333",
        overlap,
        "tversky_swapped",
        "tversky",
        "tversky",
        "alpha and beta are swapped",
    ),
    Bug("MONAI#3619", overlap, "tversky_in_place", "tversky", "tversky", "in-place operation"),
    Bug(
        "MONAI#4650",
        overlap,
        "wasserstein_dice_broadcast",
        "wasserstein_dice",
        "wasserstein_dice",
        "broadcasts",
    ),
    Bug(
        "MONAI#8094",
        overlap,
        "soft_label_dice_product",
        "soft_label_dice",
        "soft_label_dice",
        "the same only where one of them is 0 or 1",
    ),
    Bug("MONAI#5686", overlap, "global_ssim_detached", "global_ssim", "global_ssim", "no_grad"),
    Bug(
        "SMP#852",
        overlap,
        "ignored_cross_entropy_counted",
        "ignored_cross_entropy",
        "cross_entropy",
        "what is left out is counted",
    ),
    Bug(
        "SMP#671",
        focal,
        "softmax_focal_of_sigmoids",
        "softmax_focal",
        "softmax_focal",
        "sigmoid instead of the log-softmax",
    ),
    Bug("SMP#463", overlap, "batch_dice_half", "batch_dice", "batch_dice", "sum overflows"),
    Bug(
        "kornia#918, optax#1267",
        focal,
        "sigmoid_focal_power",
        "sigmoid_focal",
        "alpha_focal",
        "pow",
    ),
    Bug(
        "kornia#875",
        focal,
        "sigmoid_focal_scaled",
        "sigmoid_focal",
        "alpha_focal",
        "alpha",
    ),
    Bug(
        "kornia#3033",
        overlap,
        "weighted_dice_twice",
        "weighted_dice",
        "weighted_dice",
        "squared",
    ),
    Bug(
        "trl#3043",
        divergence,
        "jensen_shannon_swapped",
        "jensen_shannon",
        "distillation_jsd",
        "1 - beta in place of beta",
    ),
    Bug(
        "Liger#609",
        divergence,
        "jensen_shannon_without_ends",
        "jensen_shannon",
        "distillation_jsd",
        "special cases",
    ),
    Bug(
        "Liger#968",
        regression,
        "cross_entropy_items_first",
        "cross_entropy_items",
        "cross_entropy",
        "first element of the incoming gradient",
        {"reduction": "none"},
    ),
    Bug("pytorch#76646", regression, "huber_uncast", "huber_cast", "huber", "cast"),
    Bug(
        "timm 39190f5f",
        focal,
        "asymmetric_in_place",
        "asymmetric",
        "asymmetric",
        "in-place operation",
    ),
    Bug("sklearn#8087", regression, "quantile_negative", "quantile", "quantile", "sign turned"),
    Bug("deepchem#4888", divergence, "vae_kl_squared", "vae_kl", "vae_kl", "**2 in place of exp"),
    Bug(
        "keras-cv#1079",
        regression,
        "smooth_l1_without_cutoff",
        "smooth_l1",
        "smooth_l1",
        "beta = 1",
    ),
    Bug("attorch#13", regression, "huber_signed", "huber", "huber", "without the abs"),
    Bug("GLiNER2#155", regression, "clamped_bce_half", "clamped_bce", "clamped_bce", "log"),
    Bug(
        "diffusers#5654",
        divergence,
        "min_snr_of_noise",
        "min_snr",
        "min_snr",
        "without 1 in the denominator",
    ),
    Bug(
        "open-instruct#530",
        divergence,
        "policy_with_kl_detached",
        "policy_with_kl",
        "policy_with_kl",
        "no gradient flows through penalty",
    ),
    Bug(
        "open-instruct#535",
        divergence,
        "masked_mean_of_means",
        "masked_mean",
        "masked_mean",
        "mean",
    ),
)
