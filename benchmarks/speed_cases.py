"""What ``benchmarks/speed.py`` measures: the catalogue, known shapes, growth.

The known shapes are those that losses are met in: two Dice losses of a segmentation in two and in
three dimensions, pixels and tokens under cross-entropy, sixteen million regressions, embeddings.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Case:
    """What one measurement is of."""

    part: str
    loss: str
    size: str = ""
    dtype: str = "float32"
    rounds: int = 9
    upstream: float = 1.0

    @property
    def key(self) -> str:
        """What tells it from others in the file of results."""
        words = [self.part, self.loss, self.size, self.dtype]
        return " ".join([*filter(None, words), *([f"u={self.upstream:g}"] * (self.upstream != 1))])


CATALOGUE = tuple(Case("catalogue", p.stem) for p in sorted((ROOT / "specs").glob("*.py")))
SHAPES = (
    Case("shapes", "batch_dice", "n=8,c=1,s=512x512"),
    Case("shapes", "batch_dice", "n=2,c=1,s=96x96x96"),
    Case("shapes", "sigmoid_focal", "4M"),
    Case("shapes", "cross_entropy", "n=8,c=19,s=256x256"),
    Case("shapes", "tversky", "n=8,c=19,s=256x256"),
    Case("shapes", "focal_tversky", "n=8,c=2,s=512x512"),
    Case("shapes", "smooth_l1", "16M"),
    Case("shapes", "huber", "16M"),
    Case("shapes", "mse", "16M"),
    Case("shapes", "gaussian_nll", "8M"),
    Case("shapes", "info_nce", "n=4096,d=256", rounds=5),
    Case("shapes", "nt_xent", "n=2048,d=256", rounds=5),
    Case("shapes", "triplet_margin", "s=65536,d=128"),
    Case("shapes", "cosine_embedding", "n=65536,d=128"),
    Case("shapes", "cross_entropy", "n=4096,c=32000", rounds=3),
    Case("shapes", "cross_entropy", "n=4096,c=32000", "bfloat16", rounds=3),
)
UPSTREAM = tuple(
    Case("upstream", c.loss, c.size, c.dtype, c.rounds, upstream)
    for c in SHAPES
    if c.loss in ("smooth_l1", "sigmoid_focal", "gaussian_nll") or c.size.startswith("n=8,c=19")
    for upstream in (1.0, 0.5)
)
# Gradients above 32 MB, whose memory is worth keeping; and how near the warm limit is asked for.
KEPT = {
    Case("kept", "cross_entropy", "n=8,c=19,s=256x256"): 2.8,
    Case("kept", "cross_entropy", "n=4096,c=32000", rounds=3): 1.3,
    Case("kept", "generalized_dice", "n=8,c=19,s=256x256"): 4.3,
    Case("kept", "mse", "16M"): 1.3,
    Case("kept", "smooth_l1", "16M"): 1.3,
    Case("kept", "gaussian_nll", "8M"): 1.3,
    Case("kept", "cosine_embedding", "n=65536,d=128"): 1.3,
}
# The same loss, larger and larger: what grows, and from where to where.
GROWTH = {
    "elements, elementwise (`huber`)": tuple(
        Case("growth", "huber", f"e={10**k}", rounds=3 if k > 7 else 7) for k in range(3, 9)
    ),
    "elements, sums over space (`dice`, 16 classes)": tuple(
        Case("growth", "dice", f"n=4,c=16,s={10**k // 64}", rounds=7) for k in range(3, 8)
    ),
    "classes (`cross_entropy`, 2 M scores)": tuple(
        Case("growth", "cross_entropy", f"n={2_000_000 // c},c={c}", rounds=7)
        for c in (2, 10, 100, 1000, 10_000, 32_000)
    ),
    "pairs (`info_nce`, 256 features)": tuple(
        Case("growth", "info_nce", f"n={n},d=256", rounds=1 if n > 4096 else 5)
        for n in (256, 1024, 2048, 4096, 8192, 16_384)
    ),
}
MOST_PAIRS = GROWTH["pairs (`info_nce`, 256 features)"][-1:]
SMALL = (Case("small", "cross_entropy", "n=32,c=10", rounds=41),)
# On a GPU: large enough that it is not the host that is measured.
ON_GPU = (
    *(Case("gpu", c.loss, "64M", rounds=9) for c in CATALOGUE),
    Case("gpu", "cross_entropy", "n=4096,c=32000", rounds=9),
    Case("gpu", "cross_entropy", "n=4096,c=32000", "bfloat16", rounds=9),
    Case("gpu", "cross_entropy", "n=16,c=19,s=512x512", rounds=9),
    Case("gpu", "mse", "64M", "bfloat16", rounds=9),
)
PARTS = {
    "catalogue": CATALOGUE,
    "shapes": SHAPES,
    "upstream": UPSTREAM,
    "growth": tuple(case for row in GROWTH.values() for case in row),
    "small": SMALL,
    "kept": tuple(KEPT),
}
