"""The source of what several lines of a generated module call.

In: the text of a module.  Out: the helpers that it calls, in a fixed order.

    needed("loss = _log_cosh(x)")  →  the definition of _log_cosh

It refuses nothing.
"""

from __future__ import annotations

# By the text that calls for each.
HELPERS: dict[str, str] = {
    "_power_slope(": '''def _power_slope(base: Tensor, exponent: float) -> Tensor:
    """``base ** (exponent - 1)``, and where base is 0, rather than infinity, \
0 (1 for exponent 1)."""
    slope = base ** (exponent - 1)
    return slope if exponent >= 1 else slope.masked_fill(base == 0, 0.0)''',
    "_step(": '''def _step(x: Tensor) -> Tensor:
    """1 where x is positive, 1/2 where it is 0, else 0."""
    return 0.5 * torch.sign(x) + 0.5''',
    "_where_above(": '''def _where_above(x: Tensor, gate: Tensor, bound: float = 0) -> Tensor:
    """``x`` where ``gate > bound``, else 0, in one pass: torch's backward of a threshold."""
    kept: Tensor = torch.ops.aten.threshold_backward(x, gate, bound)
    return kept''',
    "_times_sigmoid(": '''def _times_sigmoid(x: Tensor, u: Tensor, sign: int = 1) -> Tensor:
    """``x * sigmoid(sign * u)``, in one pass: torch's backward of softplus."""
    # Beyond 80 a sigmoid is 1, in float64 too.
    product: Tensor = torch.ops.aten.softplus_backward(x, u, sign, 80)
    return product''',
    "_softmax_backward(": '''def _softmax_backward(grad: Tensor, prob: Tensor, dim: int) -> Tensor:
    """``prob * (grad - (grad * prob).sum(dim))``, in one pass: torch's backward of softmax."""
    result: Tensor = torch.ops.aten._softmax_backward_data(grad, prob, dim, prob.dtype)
    return result''',
    "_in_autocast(": '''def _in_autocast(device_type: str) -> bool:
    """Whether autocast is on; some devices (meta) have none."""
    available = torch.amp.autocast_mode.is_autocast_available(device_type)
    return available and torch.is_autocast_enabled(device_type)''',
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
    near = torch.log1p(2.0 * torch.sinh(0.5 * size.clamp(max=1.0)).square())
    far = size + torch.log1p(torch.exp(-2.0 * size)) - math.log(2.0)
    return torch.where(size < 1.0, near, far)''',
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
    "_common_dtype(": '''def _common_dtype(*tensors: Tensor | None) -> torch.dtype:
    """The promoted dtype of the tensors that are there."""
    dtypes = [x.dtype for x in tensors if x is not None]
    return functools.reduce(torch.promote_types, dtypes)''',
    "_INTEGERS": "_INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)",
}


FORWARD_MODE = '''def _tangents(
    formula: Callable[..., tuple[Tensor, ...]],
    primals: Sequence[Any],
    tangents: Sequence[Tensor | None],
) -> tuple[Tensor, ...]:
    """Forward-mode derivative of a formula: the transpose of its linear reverse mode."""
    moving = [k for k, tangent in enumerate(tangents) if tangent is not None]

    def moved(*values: Tensor) -> tuple[Tensor, ...]:
        inputs = list(primals)
        for k, value in zip(moving, values, strict=True):
            inputs[k] = value
        return formula(*inputs)

    outputs, pull_back, *_ = torch.func.vjp(moved, *(primals[k] for k in moving))
    zeros = tuple(torch.zeros_like(x) for x in outputs)
    push_forward = torch.func.vjp(pull_back, zeros)[1]
    (result,) = push_forward(tuple(tangents[k] for k in moving))
    return tuple(result)'''


def needed(text: str) -> list[str]:
    """The helpers that a module's text calls."""
    return [body for mark, body in HELPERS.items() if mark in text]
