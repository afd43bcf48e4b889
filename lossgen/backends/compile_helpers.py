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
