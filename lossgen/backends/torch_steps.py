"""The source of helpers that are one pass of torch's own backward functions over the elements.

In: nothing.  Out: definitions by the text that calls for each, a part of ``torch_helpers``.

    STEPS["_where_above("]  →  the definition of _where_above

It refuses nothing.
"""

from __future__ import annotations

STEPS: dict[str, str] = {
    "_where_above(": '''def _where_above(x: Tensor, gate: Tensor, bound: float = 0) -> Tensor:
    """``x`` where ``gate > bound``, else 0, in one pass: torch's backward of a threshold."""
    kept: Tensor = torch.ops.aten.threshold_backward(x, gate, bound)
    return kept''',
    "_masked(": '''def _masked(x: Tensor, gate: Tensor) -> Tensor:
    """``x`` where a gate is not 0, else 0, whatever x is there."""
    if torch.compiler.is_compiling():
        return torch.where(gate != 0, x, 0)
    # On a CPU torch.where takes a branch for each element: fifteen passes if the gate is random.
    # torch's backward of a shrinkage takes none; it leaves out where the second argument is 0.
    kept: Tensor = torch.ops.aten.hardshrink_backward(x, gate, 0)
    return kept''',
    "_unlike(": '''def _unlike(x: Tensor, y: Tensor | float) -> Tensor:
    """0 where ``x == y``, else some other number."""
    return (x - y).nan_to_num(1.0)''',
    "_chosen(": '''def _chosen(x: Tensor, y: Tensor | float, gate: Tensor) -> Tensor:
    """``x`` where a gate is 1, ``y`` where it is 0, whatever the other is there."""
    if isinstance(y, Tensor):
        return _masked(x, gate) + _masked(y, 1 - gate)
    if math.isinf(y):
        return torch.where(gate > 0, x, y)
    return _masked(x, gate) + y * (1 - gate)''',
    "_within(": '''def _within(x: Tensor, low: float, high: float) -> Tensor:
    """``x.clamp(low, high)``, whose slope at both ends is 1: torch's is 0 from 2.14 on."""
    if not _recorded():
        return x.clamp(low, high)
    return _at_most(_at_least(x, low), high)''',
    "_at_least(": '''def _at_least(x: Tensor, low: float) -> Tensor:
    """``x.clamp(min=low)``, whose slope at the bound is 1: torch's is 0 from 2.14 on."""
    if not _recorded():
        return x.clamp(min=low)
    return torch.where(x >= low, x, x.detach().clamp(min=low))''',
    "_at_most(": '''def _at_most(x: Tensor, high: float) -> Tensor:
    """``x.clamp(max=high)``, whose slope at the bound is 1: torch's is 0 from 2.14 on."""
    if not _recorded():
        return x.clamp(max=high)
    return torch.where(x <= high, x, x.detach().clamp(max=high))''',
    "_positive(": '''def _positive(x: Tensor) -> Tensor:
    """1 where ``x > 0``, else 0: on a CPU a comparison takes eight passes."""
    return torch.sign(x).clamp(min=0)''',
    "_not_negative(": '''def _not_negative(x: Tensor) -> Tensor:
    """1 where ``x >= 0``, else 0: on a CPU a comparison takes eight passes."""
    return (torch.sign(x.nan_to_num(-1.0)) + 1).clamp(max=1)''',
    "_times_bent_slope(": '''def _times_bent_slope(
    x: Tensor, a: Tensor, b: Tensor, bound: float
) -> Tensor:
    """``x * ((a - b) / bound).clamp(-1, 1)``, in one pass: torch's backward of smooth L1."""
    product: Tensor = torch.ops.aten.smooth_l1_loss_backward(x, a, b, 0, bound)
    return product''',
    "_times_gap(": '''def _times_gap(x: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """``2 * x * (a - b)``, in one pass: torch's backward of a squared error."""
    product: Tensor = torch.ops.aten.mse_loss_backward(x, a, b, 0)
    return product''',
    "_times_clipped_gap(": '''def _times_clipped_gap(
    x: Tensor, a: Tensor, b: Tensor, bound: float
) -> Tensor:
    """``x * (a - b).clamp(-bound, bound)``, in one pass: torch's backward of Huber's loss."""
    if torch.is_grad_enabled():  # the slope at the bound is 1, which torch's is not
        return x * _within(a - b, -bound, bound)
    product: Tensor = torch.ops.aten.huber_loss_backward(x, a, b, 0, bound)
    return product''',
    "_softplus_tail(": '''def _softplus_tail(u: Tensor) -> Tensor:
    """``softplus(-abs(u))``, in which the softplus of ``u`` and that of ``-u`` are alike."""
    if not _recorded():
        return u.abs().neg_().exp_().log1p_()
    # The slope at 0 is that of the side below, as those have it of what they add.
    size = _steep(torch.relu(u) - _at_most(u, 0))
    return torch.log1p(torch.exp(-size))''',
    "_sigmoid(": '''def _sigmoid(u: Tensor, sign: int = 1) -> Tensor:
    """``sigmoid(sign * u)``, also where torch's is 0 though a number that small exists."""
    # torch's backward of softplus; beyond 80 a sigmoid is 1, in float64 too.
    u = _steep(u)
    share: Tensor = torch.ops.aten.softplus_backward(u.new_ones(()), u, sign, 80)
    return share''',
    "_times_sigmoid(": '''def _times_sigmoid(x: Tensor, u: Tensor, sign: int = 1) -> Tensor:
    """``x * sigmoid(sign * u)``, in one pass: torch's backward of softplus."""
    # Beyond 80 a sigmoid is 1, in float64 too.
    product: Tensor = torch.ops.aten.softplus_backward(x, _steep(u), sign, 80)
    return product''',
    "_times_fading_sigmoid(": '''def _times_fading_sigmoid(x: Tensor, u: Tensor) -> Tensor:
    """``x * sigmoid(u)``, to all digits where the sigmoid alone is too small to have them."""
    head: Tensor = torch.ops.aten.softplus_backward(x, u.clamp(min=-60), 1, 80)
    return head * torch.exp((u + 60).clamp(max=0))''',
    "_steep(": '''def _steep(x: Tensor) -> Tensor:
    """``x``, held where ``exp(-abs(x))`` is 0, and so its slope: infinity times it is NaN."""
    if not torch.is_grad_enabled():
        return x
    far = -1.25 * math.log(torch.finfo(x.dtype).tiny)
    return x.clamp(-far, far)''',
    "_bounded(": '''def _bounded(x: Tensor) -> Tensor:
    """``x``, held where ``exp(x)`` would be infinite: multiplied by 0 it must be 0."""
    if not torch.is_grad_enabled():
        return x
    most = 0.999 * math.log(torch.finfo(x.dtype).max)
    return _in_place_of(x, x.detach().clamp(max=most))''',
    "_taken(": '''def _taken(x: Tensor, where: Tensor) -> Tensor:
    """``x`` where its branch is taken; elsewhere an infinite slope times 0 would be NaN."""
    return torch.where(where, x, 0) if _recorded() else x''',
    "_softmax_backward(": '''def _softmax_backward(grad: Tensor, prob: Tensor, dim: int) -> Tensor:
    """``prob * (grad - (grad * prob).sum(dim))``, exact to rounding where one class leads, too."""
    result: Tensor = torch.ops.aten._softmax_backward_data(grad, prob, dim, prob.dtype)
    # It adds up to 0 but for rounding, which may be all that there is at a probability near 1.
    less = result.addcmul if _recorded() else result.addcmul_
    return less(prob, result.sum(dim, keepdim=True), value=-1)''',
    "_balanced(": '''def _balanced(grad: Tensor, prob: Tensor, dim: int) -> Tensor:
    """``grad - prob * grad.sum(dim)``, exact to rounding where one class leads, too."""
    result = grad.addcmul(prob, grad.sum(dim, keepdim=True), value=-1)
    # It adds up to 0 but for rounding, which may be all that there is at a probability near 1.
    less = result.addcmul if _recorded() else result.addcmul_
    return less(prob, result.sum(dim, keepdim=True), value=-1)''',
}
