"""Functions that only modules of the ``compile`` backend define: what a compiler fuses.

It writes whatever has two readers and an exponential in it to memory; of equal things in one loop
it makes one.  So they spell out again what others would name.

In: nothing.  Out: definitions by the text that calls for each, a part of ``torch_helpers``.
"""

from __future__ import annotations

FUSED: dict[str, str] = {
    "_fused_sigmoid(": '''def _fused_sigmoid(u: Tensor, sign: int = 1) -> Tensor:
    """``_sigmoid`` without a value that is read twice, which a compiler would write to memory."""
    return torch.where(sign * u < 0, torch.exp(-u.abs()), 1.0) / (1.0 + torch.exp(-u.abs()))''',
    "_fused_sigmoid_slope(": '''def _fused_sigmoid_slope(u: Tensor) -> Tensor:
    """``sigmoid(u) * sigmoid(-u)``, exact to rounding however near to 1 either is."""
    return torch.exp(-u.abs()) / (1.0 + torch.exp(-u.abs())).square()''',
    "_fused_logsigmoid(": '''def _fused_logsigmoid(u: Tensor, sign: int = 1) -> Tensor:
    """``F.logsigmoid(sign * u)`` of one exponential for both signs."""
    return (sign * u).clamp(max=0.0) - torch.log1p(torch.exp(-u.abs()))''',
    "_fused_eye(": '''def _fused_eye(size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """``torch.eye`` by positions of 64 bits: a compiler's loops take its own, of 16, one by one."""
    position = torch.arange(size, device=device)
    return (position[:, None] == position).to(dtype)''',
    "_fused_nll(": '''def _fused_nll(
    scores: Tensor, label: Tensor, top: Tensor, total: Tensor, dim: int
) -> Tensor:
    """``_nll`` without writing to positions, which a compiler would not fuse."""
    at = label.unsqueeze(dim)
    shape = (-1, *(1,) * (scores.ndim - dim - 1))
    classes = torch.arange(scores.shape[dim], device=scores.device).reshape(shape)
    above = scores - top.unsqueeze(dim)
    share = torch.where(classes == at, 0.0, torch.exp(above)).sum(dim) / total
    near = -torch.log1p(-share.clamp(max=0.5))
    below = top - _at(scores, at, dim).squeeze(dim)
    return torch.where(share < 0.5, near, below + torch.log(total))''',
    "_fused_share(": '''def _fused_share(score: Tensor, top: Tensor, total: Tensor) -> Tensor:
    """A softmax's share of a score, of the largest score and the total above it."""
    return torch.exp(score - top) / total''',
    "_fused_log_total(": '''def _fused_log_total(total: Tensor, others: Tensor) -> Tensor:
    """The logarithm of a softmax's total, exact to rounding also where it is all but 0."""
    return torch.log1p(torch.where(total < 1.5, others, total - 1.0))''',
    "_fused_log_share(": '''def _fused_log_share(
    score: Tensor, top: Tensor, log_total: Tensor
) -> Tensor:
    """The logarithm of a softmax's share of a score."""
    return score - top - log_total''',
    "_fused_balance(": '''def _fused_balance(
    grad: Tensor, scores: Tensor, top: Tensor, total: Tensor, dim: int
) -> Tensor:
    """``_softmax_backward`` of shares, which few classes make anew where they are read."""
    top, total, few = top.unsqueeze(dim), total.unsqueeze(dim), _few(scores, dim)
    prob = _fused_share(scores, top, total)
    again = _fused_share(scores, top, total) if few else prob
    mean = (grad * prob).sum(dim, keepdim=True)
    left = ((grad - mean) * again).sum(dim, keepdim=True)
    if not few:
        return (grad - mean - left) * prob
    return _by_class(
        lambda grad, scores: (grad - mean - left) * _fused_share(scores, top, total),
        dim,
        grad,
        scores,
    )''',
    "_by_class(": '''def _by_class(
    formula: Callable[..., Tensor], dim: int, *tensors: Tensor
) -> Tensor:
    """A formula of tensors with classes along a dimension, of which few share one loop."""
    if not _few(tensors[0], dim):
        return formula(*tensors)
    parts = zip(*(x.split(1, dim) for x in tensors), strict=True)
    return torch.cat([formula(*part) for part in parts], dim)''',
    "_few(": '''def _few(x: Tensor, dim: int) -> bool:
    """Whether a loop on a CPU may go over so many places at once: caches hold lines of each."""
    return x.is_cpu and 1 < x.shape[dim] < 5''',
    "_fused_norm(": '''def _fused_norm(x: Tensor, dim: int | tuple[int, ...]) -> Tensor:
    """``_norm`` of one pass: squares in three scales."""
    bits = round(math.log2(torch.finfo(x.dtype).max))
    usual, far = 2.0 ** (3 * bits // 8), 2.0 ** (3 * bits // 4)
    size: Tensor = torch.linalg.vector_norm(x, dim=dim)
    small = torch.linalg.vector_norm(x * far, dim=dim) / far
    large = torch.linalg.vector_norm(x / far, dim=dim) * far
    return torch.where(size > usual, large, torch.where(size < 1 / usual, small, size))''',
    "_written(": '''def _written(x: Tensor) -> Tensor:
    """A small tensor in memory of its own: read, rather than made anew in each loop over more."""
    return x.as_strided(x.shape, x.stride())''',
    "_at(": '''def _at(values: Tensor, index: Tensor, dim: int | None = None) -> Tensor:
    """The values at an index; NaN outside, where compiled code would end the process."""
    inside = index.clamp(0, values.shape[dim or 0] - 1)
    found = values[inside] if dim is None else values.gather(dim, inside)
    return torch.where(index == inside, found, math.nan) if found.is_floating_point() else found''',
    "_as_given(": '''def _as_given(
    gradient: Tensor | None, given: Tensor | None, onto: Tensor | None = None
) -> Tensor | None:
    """A gradient in the shape and the dtype of its tensor, which was expanded onto another."""
    if gradient is None or given is None:
        return None
    whole = gradient.reshape((given if onto is None else onto).shape)
    return whole.sum_to_size(given.shape).to(given.dtype)''',
}
