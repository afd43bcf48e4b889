"""Asks about losses that others wrote, as released, and writes docs/verdicts.md.

    python benchmarks/verdicts.py [WORD …]    # only targets that contain a word; nothing is written

Needs what it asks about: torch's own are always there; torchvision, monai, kornia and
segmentation_models_pytorch are left out where they are not installed.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lossgen.errors import LossgenError
from lossgen.verify.request import Request
from lossgen.verify.supervise import supervise
from lossgen.verify.verdict import Report

PAGE = Path(__file__).resolve().parents[1] / "docs" / "verdicts.md"

FUNCTIONAL = {
    "l1": "l1_loss",
    "mse": "mse_loss",
    "smooth_l1": "smooth_l1_loss",
    "huber": "huber_loss",
    "soft_margin": "soft_margin_loss",
    "binary_cross_entropy": "binary_cross_entropy",
    "binary_cross_entropy_with_logits": "binary_cross_entropy_with_logits",
    "cross_entropy": "cross_entropy",
    "nll": "nll_loss",
    "kl_div": "kl_div",
    "poisson_nll": "poisson_nll_loss",
    "gaussian_nll": "gaussian_nll_loss",
    "margin_ranking": "margin_ranking_loss",
    "hinge_embedding": "hinge_embedding_loss",
    "multilabel_margin": "multilabel_margin_loss",
    "multilabel_soft_margin": "multilabel_soft_margin_loss",
    "multi_margin": "multi_margin_loss",
    "cosine_embedding": "cosine_embedding_loss",
    "triplet_margin": "triplet_margin_loss",
}
MODULES = {
    "l1": "L1Loss",
    "mse": "MSELoss",
    "smooth_l1": "SmoothL1Loss",
    "huber": "HuberLoss",
    "soft_margin": "SoftMarginLoss",
    "binary_cross_entropy": "BCELoss",
    "binary_cross_entropy_with_logits": "BCEWithLogitsLoss",
    "cross_entropy": "CrossEntropyLoss",
    "nll": "NLLLoss",
    "kl_div": "KLDivLoss",
    "poisson_nll": "PoissonNLLLoss",
    "gaussian_nll": "GaussianNLLLoss",
    "margin_ranking": "MarginRankingLoss",
    "hinge_embedding": "HingeEmbeddingLoss",
    "multilabel_margin": "MultiLabelMarginLoss",
    "multilabel_soft_margin": "MultiLabelSoftMarginLoss",
    "multi_margin": "MultiMarginLoss",
    "cosine_embedding": "CosineEmbeddingLoss",
    "triplet_margin": "TripletMarginLoss",
}


@dataclass(frozen=True)
class Question:
    """One loss of others', the formula it is held against, and the conventions between them."""

    target: str
    formula: str | None = None
    how: Mapping[str, Any] = field(default_factory=dict)

    @property
    def package(self) -> str:
        return self.target.partition(":")[0].partition(".")[0]

    @property
    def request(self) -> Request:
        return Request(target=self.target, formula=self.formula, time_limit=900, **self.how)


def ask(target: str, formula: str | None = None, **how: Any) -> Question:
    return Question(target, formula, how)


MONAI = "monai.losses:"
KORNIA = "kornia.losses:"
SMP = "segmentation_models_pytorch.losses:"
VISION = "torchvision.ops:"
SIGMOID = {"sigmoid": True, "smooth_nr": 1.0, "smooth_dr": 1.0, "smooth": 1.0}
SOFTMAX = {"softmax": True, "smooth_nr": 1.0, "smooth_dr": 1.0, "smooth": 1.0}

QUESTIONS = (
    *(ask(f"torch.nn.functional:{name}", spec) for spec, name in FUNCTIONAL.items()),
    *(ask(f"torch.nn:{name}", spec) for spec, name in MODULES.items()),
    ask(VISION + "sigmoid_focal_loss", "sigmoid_focal"),
    ask(VISION + "generalized_box_iou_loss", "giou"),
    ask(VISION + "complete_box_iou_loss", "ciou"),
    ask(MONAI + "DiceLoss", "dice", settings=SIGMOID),
    ask(MONAI + "DiceLoss", "batch_dice", settings={**SIGMOID, "batch": True}),
    ask(
        MONAI + "DiceLoss",
        "jaccard",
        settings={**SIGMOID, "jaccard": True, "smooth_nr": 2.0, "smooth_dr": 2.0},
    ),
    ask(MONAI + "TverskyLoss", "tversky", settings=SOFTMAX),
    ask(
        MONAI + "GeneralizedDiceLoss",
        "generalized_dice",
        settings={"softmax": True, "smooth_nr": 1e-5, "smooth_dr": 1e-5, "smooth": 1e-5},
    ),
    ask(MONAI + "FocalLoss", "sigmoid_focal", settings={"alpha": 0.25}, adapt={"target": "binary"}),
    ask(
        MONAI + "FocalLoss",
        "sigmoid_focal",
        settings={"alpha": 0.25},
        adapt={"target": "binary"},
        reduction="mean",
    ),
    ask(
        MONAI + "FocalLoss",
        "softmax_focal",
        settings={"use_softmax": True, "to_onehot_y": True},
        adapt={"target": "column"},
        reduction="mean",
    ),
    ask(MONAI + "BarlowTwinsLoss", "barlow_twins", settings={"eps": 1e-5}),
    ask(MONAI + "ContrastiveLoss", "nt_xent", map={"tau": "temperature"}, reduction="mean"),
    ask(MONAI + "BoxGIoULoss", "giou"),
    ask(KORNIA + "charbonnier_loss", expr="sqrt((input - target)**2 + 1) - 1"),
    ask(KORNIA + "CharbonnierLoss", expr="sqrt((input - target)**2 + 1) - 1"),
    ask(KORNIA + "welsch_loss", expr="1 - exp(-(input - target)**2/2)"),
    ask(KORNIA + "WelschLoss", expr="1 - exp(-(input - target)**2/2)"),
    ask(KORNIA + "cauchy_loss", expr="log((input - target)**2/2 + 1)"),
    ask(KORNIA + "CauchyLoss", expr="log((input - target)**2/2 + 1)"),
    ask(KORNIA + "geman_mcclure_loss", expr="2*(input - target)**2/((input - target)**2 + 4)"),
    ask(KORNIA + "GemanMcclureLoss", expr="2*(input - target)**2/((input - target)**2 + 4)"),
    ask(
        KORNIA + "focal_loss",
        "softmax_focal",
        settings={"gamma": 2.0, "alpha": None},
        map={"input": "pred"},
    ),
    ask(
        KORNIA + "binary_focal_loss_with_logits",
        "sigmoid_focal",
        map={"input": "pred"},
        settings={"alpha": 0.25},
        adapt={"target": "binary"},
    ),
    ask(
        SMP + "DiceLoss", "batch_dice", settings={"mode": "multilabel"}, adapt={"target": "binary"}
    ),
    ask(
        SMP + "DiceLoss",
        "batch_dice",
        settings={"mode": "multilabel", "smooth": 1.0},
        adapt={"target": "binary"},
    ),
    ask(
        SMP + "FocalLoss",
        "sigmoid_focal",
        settings={"mode": "multilabel", "alpha": 0.25},
        adapt={"target": "binary"},
    ),
    ask(SMP + "SoftCrossEntropyLoss", "cross_entropy", map={"label_smoothing": "smooth_factor"}),
)

# What was found where a loss does not hold, examined by hand; by target and formula.
_HUBER = (
    "The formula is right; forward takes a float32 input beside a float64 target, and backward "
    'then raises: pytorch#76646, open. With `--skip "mixed precision"` it holds.'
)
_BCE = (
    "The formula is right in single and double precision. In half precision the gradient at a "
    "probability of exactly 0 or 1 with the same label is 0/0: the constant 1e-12 that guards the "
    'denominator is 0 there. With `--skip "half precision"` it holds.'
)
_HALF = (
    "The formula is right. In half precision the sums over 90 000 pixels exceed 65504, and the "
    "ratio is NaN (as in SMP#463); autocast sums in single precision. With "
    '`--skip "large tensors"` it holds'
)
_MULTILABEL = (
    'The formula is right. Under `torch.compile(backend="aot_eager")` torch 2.13\'s own Python '
    "rendering of the operator counts the -1 that ends the list as a label: for scores [[0, 1]] "
    "and the empty list [[-1, -1]] it gives 3 where the operator gives 0. With "
    "`--skip torch.compile` it holds."
)
_SOFT_MARGIN = (
    "The formula is right until `exp(-input * target)` overflows: in single precision the loss is "
    'infinite from 89 on, where it should be 89. With `--skip "extreme values"` it holds.'
)
_POISSON_NLL = (
    "The formula is right in single and double precision. In half precision, without log_input, "
    "an input of 0 beside a target of 0 gives 0 * log(0): eps, 1e-8, is 0 there. With "
    '`--skip "half precision"` it holds, with a warning: it broadcasts without a word.'
)
EXAMINED: Mapping[tuple[str, str], str] = {
    ("torch.nn.functional:poisson_nll_loss", "poisson_nll"): _POISSON_NLL,
    ("torch.nn:PoissonNLLLoss", "poisson_nll"): _POISSON_NLL,
    ("torch.nn.functional:soft_margin_loss", "soft_margin"): _SOFT_MARGIN,
    ("torch.nn:SoftMarginLoss", "soft_margin"): _SOFT_MARGIN,
    ("torch.nn.functional:l1_loss", "l1"): (
        'The formula is right. Under `torch.compile(backend="aot_eager")` torch 2.13 loses the '
        "`weight`: errors [0, 1] with weights [0, 1] give 0.5 where the operator gives 1. With "
        "`--skip torch.compile` it holds."
    ),
    ("torch.nn.functional:huber_loss", "huber"): _HUBER,
    ("torch.nn:HuberLoss", "huber"): _HUBER,
    ("torch.nn.functional:binary_cross_entropy", "binary_cross_entropy"): _BCE,
    ("torch.nn:BCELoss", "binary_cross_entropy"): _BCE,
    ("torch.nn.functional:multilabel_margin_loss", "multilabel_margin"): _MULTILABEL,
    ("torch.nn:MultiLabelMarginLoss", "multilabel_margin"): _MULTILABEL,
    (VISION + "sigmoid_focal_loss", "sigmoid_focal"): (
        "`(1 - p_t) ** gamma` has an infinite slope at p_t = 1 for gamma below 1, and a saturated "
        "score then gives 0 times infinity. With gamma held at 2 it holds, exactly. (A negative "
        "alpha other than -1 is refused, and told.)"
    ),
    (VISION + "complete_box_iou_loss", "ciou"): (
        "`eps` reaches only the trade-off term: `_diou_iou_loss(boxes1, boxes2)` is called without "
        "it, so that the other denominators keep 1e-7 whatever is passed. With eps held at 1e-7 it "
        "holds."
    ),
    (MONAI + "DiceLoss", "dice"): _HALF + ".",
    (MONAI + "DiceLoss", "batch_dice"): _HALF + ".",
    (MONAI + "DiceLoss", "jaccard"): _HALF + ".",
    (MONAI + "GeneralizedDiceLoss", "generalized_dice"): (
        _HALF + " (inaccurate: it computes in single precision whatever it is given)."
    ),
    (MONAI + "FocalLoss", "sigmoid_focal"): (
        'With `reduction="sum"` the positions of a channel are averaged before the sum, as its '
        'documentation says; with `reduction="mean"` it holds.'
    ),
    (MONAI + "FocalLoss", "softmax_focal"): (
        "`(1 - p) ** gamma` has an infinite slope at p = 1 for gamma below 1: the gradient of a "
        "saturated score is NaN. With gamma held at 2 it holds."
    ),
    (MONAI + "ContrastiveLoss", "nt_xent"): (
        "Rows are normalised and multiplied in bfloat16, and the products divided by a temperature "
        "below 1: a rounding of the cosine, 2^-9, is several per cent of the logit. In single "
        "precision it holds."
    ),
    (MONAI + "BoxGIoULoss", "giou"): (
        "Boxes are cast to float32 whatever they are given in; differences of large coordinates "
        "lose the more."
    ),
    (MONAI + "BarlowTwinsLoss", "barlow_twins"): (
        "Another normalisation: it divides by the standard deviation with n - 1 in it and then by "
        "n, so that a view's correlation with itself is (n - 1)/n and the loss of two equal views "
        "is not 0. The paper's is 1."
    ),
    (KORNIA + "focal_loss", "softmax_focal"): (
        "Another mean, as its documentation says: it divides by the number of classes times the "
        "number of positions, ignored ones too."
    ),
    (SMP + "DiceLoss", "batch_dice"): (
        "Dice is computed as Tversky with one half each, and the smoothing is not "
        "halved with it: it counts twice. (A class that is absent from the labels is also left "
        "out.) SMP's default smoothing of 0 hides it."
    ),
    (SMP + "FocalLoss", "sigmoid_focal"): (
        'With `reduction="sum"` the classes are averaged after the positions were summed.'
    ),
    (SMP + "SoftCrossEntropyLoss", "cross_entropy"): (
        "Ignored positions are counted in the mean (SMP#852), as the diagnosis says."
    ),
}


def installed(question: Question) -> bool:
    return importlib.util.find_spec(question.package) is not None


def answers(words: list[str]) -> Iterator[tuple[Question, Report]]:
    for question in QUESTIONS:
        if installed(question) and (not words or any(w in question.target for w in words)):
            try:
                report = supervise(question.request, lambda text: None)
            except (LossgenError, RuntimeError) as error:
                told = question.formula or str(question.how.get("expr"))
                report = Report(question.target, told, "cannot be asked", str(error), 0)
            print(f"{question.target:55} {report.verdict:18} {report.reason[:150]}", flush=True)
            for cause in report.diagnoses:
                print(f"{'':55} equals the formula {cause}", flush=True)
            yield question, report


def importing() -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import torch"], check=True)
    return time.perf_counter() - start


def page(found: list[tuple[Question, Report]], torch_seconds: float) -> str:
    packages = sorted({q.package for q, _ in found})
    versions = ", ".join(f"{p} {version(p)}" for p in packages)
    holding = [r for _, r in found if r.holds]
    lines = [
        "# Losses that others wrote",
        "",
        "Written by `python benchmarks/verdicts.py`: each loss as released, held against a formula",
        f"by `lossgen verify`, with {versions}.",
        "",
        f"{len(holding)} of {len(found)} hold. Every other verdict was examined by hand and is",
        "explained below the table.",
        f"In the same run `import torch` took {torch_seconds:.1f} s; the median question that",
        f"holds took {statistics.median(r.seconds for r in holding):.1f} s after it.",
        "",
        "| loss | formula | verdict | shown |",
        "| --- | --- | --- | --- |",
    ]
    for question, report in found:
        formula = question.formula or question.how["expr"]
        shown = report.evidence[0].split(":")[0] if report.evidence else ""
        verdict = f"{report.verdict}, with a warning" if report.warnings else report.verdict
        lines.append(f"| `{question.target}` | `{formula}` | {verdict} | {shown} |")
    lines += ["", "## Warnings", "", *warned(found)]
    lines += ["", "## Where digits are lost", "", *inaccurate(found)]
    lines += ["", "## What does not hold, and why", ""]
    for question, report in found:
        if not report.holds:
            formula = question.formula or question.how["expr"]
            text = EXAMINED.get((question.target, formula), "Not examined yet.")
            lines += [f"**`{question.target}` against `{formula}`.** {report.reason}", "", text, ""]
    return "\n".join(lines).rstrip() + "\n"


def warned(found: list[tuple[Question, Report]]) -> Iterator[str]:
    """What holds and takes shapes that do not fit without a word."""
    for question, report in found:
        if report.holds:
            yield from (f"- `{question.target}` {text}." for text in report.warnings)


def inaccurate(found: list[tuple[Question, Report]]) -> Iterator[str]:
    """What computes the formula with too few digits."""
    for question, report in found:
        if report.verdict == "holds, inaccurate":
            formula = question.formula or question.how["expr"]
            text = EXAMINED.get((question.target, str(formula)), "Not examined yet.")
            yield f"- `{question.target}` against `{formula}`: {report.reason} {text}"


def version(package: str) -> str:
    try:
        return importlib.metadata.version(package).partition("+")[0]
    except importlib.metadata.PackageNotFoundError:
        return "(installed)"


def main() -> None:
    words = sys.argv[1:]
    torch_seconds = importing()
    found = list(answers(words))
    if not words:
        PAGE.write_text(page(found, torch_seconds), encoding="utf-8")


if __name__ == "__main__":
    main()
