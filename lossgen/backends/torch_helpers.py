"""The source of what several lines of a generated module call.

In: the text of a module.  Out: the helpers that it calls, in a fixed order.

    needed("loss = _log_cosh(x)")  →  the definition of _log_cosh

It refuses nothing.
"""

from __future__ import annotations

import re

from lossgen.backends.compile_helpers import FUSED
from lossgen.backends.torch_compositions import COMPOSITIONS
from lossgen.backends.torch_parts import BLOCKS
from lossgen.backends.torch_row_parts import PAIRS
from lossgen.backends.torch_steps import STEPS

# By the text that calls for each.
HELPERS: dict[str, str] = {
    "_power_slope(": '''def _power_slope(base: Tensor, exponent: float) -> Tensor:
    """``base ** (exponent - 1)``; where that is infinite and ``base**exponent`` is not, 0."""
    if exponent >= 1:
        return _power(base, exponent - 1)
    if exponent == 0:
        return torch.zeros_like(base)
    if exponent < 0:
        return base ** (exponent - 1)
    zero = base == 0
    slope = base.masked_fill(zero, 1.0) ** (exponent - 1)
    # What multiplies it may be as small as the slope is large.
    return slope.masked_fill(zero, 0.0).clamp(max=torch.finfo(slope.dtype).max)''',
    "_power_slopes(": '''def _power_slopes(base: Tensor, exponent: Tensor) -> Tensor:
    """``base ** (exponent - 1)``; at 0, it and its own slope are 0 where they are infinite."""
    flat = (base == 0) & (exponent >= 0) & (exponent != 1) & (exponent != 2)
    slope = (base.masked_fill(flat, 1.0) ** (exponent - 1)).masked_fill(flat, 0.0)
    # What multiplies it may be as small as the slope is large.
    return torch.where(exponent >= 0, slope.clamp(max=torch.finfo(slope.dtype).max), slope)''',
    "_power(": '''def _power(base: Tensor, exponent: float) -> Tensor:
    """``base**exponent``; at 0, slopes are 0 where torch's are infinite, and NaN times 0."""
    if _recorded() and 0 < exponent < 2 and exponent != 1:
        zero = base == 0
        return (base.masked_fill(zero, 1.0) ** exponent).masked_fill(zero, 0.0)
    return base**exponent''',
    "_powers(": '''def _powers(base: Tensor, exponent: Tensor) -> Tensor:
    """``base**exponent``; at 0, slopes are 0 where torch's are infinite, and NaN times 0."""
    if not _recorded():
        return base**exponent
    zero = (base == 0) & (exponent > 0) & (exponent < 2) & (exponent != 1)
    return (base.masked_fill(zero, 1.0) ** exponent).masked_fill(zero, 0.0)''',
    "_sqrt(": '''def _sqrt(x: Tensor) -> Tensor:
    """``sqrt(x)``; at 0 its slope is 0, where torch's is infinite, and NaN times 0."""
    if not _recorded():
        return torch.sqrt(x)
    zero = x == 0
    return torch.sqrt(x.masked_fill(zero, 1.0)).masked_fill(zero, 0.0)''',
    "_log(": '''def _log(x: float) -> float:
    """``math.log``, and what torch has of numbers that are not above 0."""
    return math.log(x) if x > 0 else -math.inf if x == 0 else math.nan''',
    "_acos(": '''def _acos(x: Tensor) -> Tensor:
    """``acos(x)``; at -1 and 1 its slope is 0, where torch's is infinite, and NaN times 0."""
    if not _recorded():
        return torch.acos(x)
    end = x.abs() == 1
    return torch.where(end, torch.acos(x.detach()), torch.acos(x.masked_fill(end, 0.0)))''',
    "_digamma(": '''def _digamma(x: Tensor) -> Tensor:
    """The slope of log-gamma: ``torch.digamma``, whose own slope has nine digits only."""
    positive = x > 0.0
    near = x.masked_fill(~positive, 1.0)
    far = near + 10.0  # the asymptotic series, and back by the recurrence
    z = far.reciprocal().square()
    tail = z / 12.0
    for term in (-691 / 32760, 1 / 132, -1 / 240, 1 / 252, -1 / 120, 1 / 12):
        tail = z * (term + tail)
    steps = sum((near + k).reciprocal() for k in range(10))
    value = torch.log(far) - 0.5 / far - tail - steps
    return torch.where(positive, value, torch.digamma(x.masked_fill(positive, -0.5)))''',
    "_trigamma(": '''def _trigamma(x: Tensor) -> Tensor:
    """The slope of ``_digamma``: ``torch.polygamma(1, x)``, which has nine digits only."""
    positive = x > 0.0
    near = x.masked_fill(~positive, 1.0)
    far = (near + 10.0).reciprocal()  # the asymptotic series, and back by the recurrence
    z = far.square()
    tail = z * (7 / 6)
    for term in (-691 / 2730, 5 / 66, -1 / 30, 1 / 42, -1 / 30, 1 / 6):
        tail = z * (term + tail)
    steps = sum((near + k).reciprocal().square() for k in range(10))
    value = far + 0.5 * z + far * tail + steps
    return torch.where(positive, value, torch.polygamma(1, x.masked_fill(positive, -0.5)))''',
    "_or_infinite(": '''def _or_infinite(x: Tensor) -> Tensor:
    """``x``, and infinity where it is 0: a quotient by it is 0 there."""
    return x.masked_fill(x == 0, math.inf)''',
    "_step(": '''def _step(x: Tensor) -> Tensor:
    """1 where x is positive, 1/2 where it is 0, else 0."""
    return 0.5 * torch.sign(x) + 0.5''',
    **STEPS,
    **FUSED,
    "_in_autocast(": '''def _in_autocast(device_type: str) -> bool:
    """Whether autocast is on; the meta device has none."""
    return device_type != "meta" and torch.is_autocast_enabled(device_type)''',
    **PAIRS,
    **BLOCKS,
    "_masked_logsumexp(": '''def _masked_logsumexp(
    x: Tensor, mask: Tensor, dim: int | tuple[int, ...]
) -> Tensor:
    """``logsumexp`` where a mask holds; over nothing it is -inf, with gradient 0."""
    some = mask.any(dim, keepdim=True)
    kept = torch.where(mask | ~some, x, -math.inf)
    return kept.logsumexp(dim).masked_fill(~some.squeeze(dim), -math.inf)''',
    "_log_cosh(": '''def _log_cosh(x: Tensor) -> Tensor:
    """``log(cosh(x))``, exact to rounding near 0, where the usual form cancels, and far from it."""
    size = x.abs()
    head = size.clamp(max=60.0)  # from there on cosh(x) is exp(x) / 2
    return size - head + torch.log1p(2.0 * torch.sinh(0.5 * head).square())''',
    "_square_over(": '''def _square_over(a: Tensor, b: Tensor | float) -> Tensor:
    """``a**2 / b``; the square alone may be out of range where the quotient is not."""
    return a * (a / b)''',
    "_square_times(": '''def _square_times(a: Tensor, b: Tensor) -> Tensor:
    """``a**2 * b``; the square alone may be out of range where the product is not."""
    return a * (a * b)''',
    "_norm(": '''def _norm(x: Tensor, dim: int | tuple[int, ...]) -> Tensor:
    """Euclidean length; the squares of very large and very small numbers are in range, too."""
    bits = round(math.log2(torch.finfo(x.dtype).max))
    usual, far = 2.0 ** (3 * bits // 8), 2.0 ** (3 * bits // 4)
    length: Tensor = torch.linalg.vector_norm(x, dim=dim, keepdim=True)
    size = length.detach()
    if _all_within(size, 1 / usual, usual):
        return length.squeeze(dim)
    # Powers of two: scaling by them rounds nothing.
    scale = torch.ones_like(size).masked_fill(size > usual, 1 / far)
    scale = scale.masked_fill(size < 1 / usual, far)
    x = x * scale
    if _recorded():
        # Of a row of zeros torch's first derivative is 0, but its second is NaN.
        zero = torch.linalg.vector_norm(x.detach(), dim=dim, keepdim=True) == 0
        x = x.masked_fill(zero, 1.0)
        length = torch.linalg.vector_norm(x, dim=dim).masked_fill(zero.squeeze(dim), 0.0)
    else:
        length = torch.linalg.vector_norm(x, dim=dim)
    return length / scale.amax(dim)''',
    "_largest(": '''def _largest(x: Tensor, dim: int | tuple[int, ...]) -> Tensor:
    """The largest magnitude, held constant; of nothing it is 0."""
    size = x.detach().abs()
    # torch's amax refuses an empty axis.
    return size.amax(dim) if size.numel() else size.sum(dim)''',
    "_all_within(": '''def _all_within(x: Tensor, low: float, high: float) -> bool:
    """Whether all numbers are between two, where that is seen at once: on a CPU, not compiled."""
    if torch.compiler.is_compiling() or not x.is_cpu or not x.numel():
        return False
    try:
        smallest, largest = x.aminmax()
        return bool(smallest >= low) and bool(largest <= high)
    except RuntimeError:
        return False  # a batch of torch.func.vmap, or what is traced, has no one answer''',
    "_log_softmax(": '''def _log_softmax(scores: Tensor, dim: int) -> Tensor:
    """``scores.log_softmax(dim)``, exact to rounding also where it is all but 0."""
    if not scores.numel():
        return scores.log_softmax(dim)  # torch's amax refuses an empty axis
    below = scores - scores.amax(dim, keepdim=True)
    powers = below.exp()
    total = powers.sum(dim, keepdim=True)
    others = powers.frac().sum(dim, keepdim=True)  # the power of one that leads is 1
    return below.sub_(torch.log1p(torch.where(total < 1.5, others, total - 1.0)))''',
    "_nll(": '''def _nll(scores: Tensor, label: Tensor, dim: int) -> Tensor:
    """``-scores.log_softmax(dim)`` at the label, exact to rounding also where it is all but 0."""
    at = label.unsqueeze(dim)
    others = _softmax(scores, dim).scatter(dim, at, 0.0).sum(dim, keepdim=True)
    if scores.shape[dim + 1 :] == (1,):  # torch is quicker along the last axis
        log_prob = scores.squeeze(-1).log_softmax(-1).unsqueeze(-1).gather(dim, at)
    else:
        log_prob = scores.log_softmax(dim).gather(dim, at)
    # A probability near 1 is known by what it leaves to the others.
    likely = torch.log1p(-others.clamp(max=0.5))
    return -torch.where(others < 0.5, likely, log_prob).squeeze(dim)''',
    "_nll_and_slope(": '''def _nll_and_slope(
    scores: Tensor, label: Tensor, dim: int
) -> tuple[Tensor, Tensor]:
    """``_nll`` and its slope in the scores: the softmax, less 1 at the label."""
    at = label.unsqueeze(dim)
    prob = _softmax(scores, dim)
    if _recorded() or not prob.numel():
        loss = _nll(scores, label, dim)
        slope = prob.scatter(dim, at, 0.0)
        others = slope.sum(dim, keepdim=True)
    else:
        # The same without a pass of logarithms: how far the class is below the leader,
        # and what the leader leaves. Where leaders tie, this has no derivative.
        below = scores.amax(dim, keepdim=True) - scores.gather(dim, at)
        top, chosen = prob.amax(dim, keepdim=True), prob.gather(dim, at)
        slope = prob.scatter_(dim, at, 0.0)
        others = slope.sum(dim, keepdim=True)
        left = (others - (top - chosen)) / top
        loss = (below + torch.log1p(left)).squeeze(dim)
    return loss, slope.scatter_add_(dim, at, -others)''',
    "_softmax(": '''def _softmax(scores: Tensor, dim: int) -> Tensor:
    """``scores.softmax(dim)``, along the last axis where it can be: torch vectorises that alone."""
    if scores.shape[dim] >= 16 and scores.shape[dim + 1 :] == (1,):
        return scores.squeeze(-1).softmax(-1).unsqueeze(-1)
    return scores.softmax(dim)''',
    "_recorded(": '''def _recorded() -> bool:
    """Whether autograd, a compiler or torch.func is to see each operation."""
    if torch.is_grad_enabled() or torch.compiler.is_compiling():
        return True
    return bool(torch._C._are_functorch_transforms_active())''',
    "_straight_through(": '''def _straight_through(value: Tensor, slope_of: Tensor) -> Tensor:
    """``value``, with the gradient of another."""
    if not _recorded():
        return value
    return value.detach() + (slope_of - slope_of.detach())''',
    "_xlogx(": '''def _xlogx(x: Tensor) -> Tensor:
    """``x * log(x)``, and 0 at 0, where its slope is 0 as well: torch's is NaN."""
    if not _recorded():
        least = torch.finfo(x.dtype).smallest_normal * torch.finfo(x.dtype).eps
        return x * torch.log(x.clamp(min=least))  # torch's xlogy takes ten passes on a CPU
    return torch.xlogy(x, x.masked_fill(x == 0, 1))''',
    "_xlogy(": '''def _xlogy(x: Tensor, y: Tensor) -> Tensor:
    """``x * log(y)``, and 0 where x = 0; where both are 0 its slope is 0: torch's is NaN."""
    return torch.xlogy(x, torch.where((x == 0) & (y == 0), 1, y))''',
    **COMPOSITIONS,
    "_amax(": '''def _amax(x: Tensor, dim: int | tuple[int, ...]) -> Tensor:
    """The largest; of nothing, which torch's own refuses, it is -inf."""
    return x.amax(dim) if x.numel() else x.sum(dim) - math.inf''',
    "_amin(": '''def _amin(x: Tensor, dim: int | tuple[int, ...]) -> Tensor:
    """The smallest; of nothing, which torch's own refuses, it is inf."""
    return x.amin(dim) if x.numel() else x.sum(dim) + math.inf''',
    "_masked_amax(": '''def _masked_amax(
    x: Tensor, mask: Tensor, dim: int | tuple[int, ...]
) -> Tensor:
    """The largest where a mask holds; over nothing it is -inf."""
    kept = torch.where(mask, x, -math.inf)
    # torch's own amax refuses an empty axis.
    return kept.amax(dim) if kept.numel() else kept.sum(dim) - math.inf''',
    "_masked_amin(": '''def _masked_amin(
    x: Tensor, mask: Tensor, dim: int | tuple[int, ...]
) -> Tensor:
    """The smallest where a mask holds; over nothing it is inf."""
    kept = torch.where(mask, x, math.inf)
    # torch's own amin refuses an empty axis.
    return kept.amin(dim) if kept.numel() else kept.sum(dim) + math.inf''',
    "_broadcasts(": '''def _broadcasts(shape: torch.Size, onto: torch.Size) -> bool:
    """Whether a shape broadcasts onto another without enlarging it."""
    pairs = zip(reversed(shape), reversed(onto), strict=False)
    return len(shape) <= len(onto) and all(x in (1, y) for x, y in pairs)''',
    "_aligns(": '''def _aligns(shape: torch.Size, onto: torch.Size) -> bool:
    """Whether two shapes are equal but for at most one dimension, which is 1 in the first."""
    different = [x for x, y in zip(shape, onto, strict=False) if x != y]
    return len(shape) == len(onto) and different in ([], [1])''',
    "_widened(": '''def _widened(x: Tensor) -> Tensor:
    """Half precision as float32."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x''',
    "_common_dtype(": '''def _common_dtype(*tensors: Tensor | None) -> torch.dtype:
    """The promoted dtype of the tensors that are there."""
    dtypes = {x.dtype for x in tensors if x is not None}
    return functools.reduce(torch.promote_types, dtypes)''',
    "_INTEGERS": "_INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)",
}


def needed(text: str) -> list[str]:
    """The helpers that a module's text calls, and those that these call."""
    found: dict[str, str] = {}
    while more := {k: v for k, v in HELPERS.items() if k not in found and _calls(text, k)}:
        found |= more
        text = "\n".join(more.values())
    return [body for mark, body in HELPERS.items() if mark in found]


def _calls(text: str, mark: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(mark)}", text) is not None
