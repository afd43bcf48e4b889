"""The source of helpers that go through the pairs of a loss by blocks of rows.

In: nothing.  Out: definitions by the text that calls for each, a part of ``torch_helpers``.

    PAIRS["_sum_by_rows("]  →  the definition of _sum_by_rows

It refuses nothing.
"""

from __future__ import annotations

PAIRS: dict[str, str] = {
    "_many_pairs(": '''def _many_pairs(x: Tensor) -> bool:
    """Whether the scores of all pairs of rows are better not formed at once."""
    if torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active():
        return False
    return not x.is_meta and len(x) > 4 * _rows_at_once(x)''',
    "_sum_by_rows(": '''def _sum_by_rows(
    by_rows: Any, function: Any, tensors: tuple[Tensor, ...], *options: Any
) -> tuple[Tensor, ...]:
    """The sum of all items, some rows at a time; second derivatives are those of ``function``."""
    needed = tuple(torch.is_grad_enabled() and x.requires_grad for x in tensors)
    apply: Callable[..., tuple[Tensor, ...]] = _ByRows.apply
    with torch.autocast(tensors[0].device.type, enabled=False):
        return apply(by_rows, function, needed, options, *tensors)''',
    "_ByRows": '''class _ByRows(_InOrder, torch.autograd.Function):
    """A sum over rows that brings its gradient with it."""

    @staticmethod
    def forward(
        by_rows: Any,
        function: Any,
        needed: tuple[bool, ...],
        options: tuple[Any, ...],
        *inputs: Tensor,
    ) -> tuple[Tensor, ...]:
        found: tuple[Tensor, ...] = by_rows(needed, *inputs, *options)
        return found

    @staticmethod
    def setup_context(
        ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]
    ) -> None:
        _, ctx.function, ctx.needed, ctx.options, *tensors = inputs
        ctx.sums = len(output) - sum(ctx.needed)
        ctx.save_for_backward(*tensors, *output[ctx.sums :])
        ctx.save_for_forward(*tensors)
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(
        ctx: Any, grad_loss: Tensor | None, *unused: None
    ) -> tuple[Tensor | None, ...]:
        if grad_loss is None:
            return None, None, None, None, *(None for _ in ctx.needed)
        count = len(ctx.needed)
        inputs, found = ctx.saved_tensors[:count], ctx.saved_tensors[count:]
        if torch.is_grad_enabled():
            # For a second derivative, the first must depend on the inputs.
            arguments, grad = (*inputs, *ctx.options), grad_loss.expand(len(inputs[0]))
            _, *found = _at_once(ctx.function, ctx.needed, arguments, grad)
        else:
            # What has no slope has none in a mean over nothing either.
            found = [torch.where(x == 0, x, grad_loss * x) for x in found]
        left = iter(found)
        return None, None, None, None, *(next(left) if x else None for x in ctx.needed)

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> tuple[Tensor | None, ...]:
        def formula(*inputs: Any) -> tuple[Tensor, ...]:
            grad = torch.ones(len(inputs[0]), dtype=inputs[0].dtype, device=inputs[0].device)
            arguments = (*inputs, *ctx.options)
            loss, *found = _at_once(ctx.function, ctx.needed, arguments, grad)
            return loss.sum(), *found

        inputs = ctx.saved_tensors[: len(ctx.needed)]
        loss, *slopes = _tangents(formula, inputs, tangents[4:])
        # Labels alone say what a mean divides by.
        return loss, *(torch.zeros_like(loss) for _ in range(ctx.sums - 1)), *slopes''',
    "_in_row_blocks(": '''def _in_row_blocks(
    block: Callable[..., tuple[list[Tensor], list[Tensor]]],
    vectors: Sequence[Tensor],
    products: Sequence[_Product],
    wanted: bool,
) -> tuple[tuple[Tensor, ...], list[Tensor]]:
    """What a block gives, summed over all rows, and if wanted the gradients by the vectors."""
    pulls = [torch.zeros_like(x) for x in vectors] if wanted else []
    count = len(vectors[products[0].left])
    step, sums = _rows_at_once(vectors[products[0].left]), []
    for start in range(0, count, step):
        rows = slice(start, min(start + step, count))
        row = torch.arange(rows.start, rows.stop, device=vectors[0].device)
        found, slopes = block(row, *(_scores(x, vectors, rows) for x in products))
        sums.append([x.sum() for x in found])
        for (left, right, factor, shift), slope in zip(products, slopes, strict=False):
            pulls[left][rows].addmm_(slope, vectors[right], alpha=factor)
            pulls[right].addmm_(slope.T, vectors[left][rows], alpha=factor)
            if shift is not None:
                pulls[shift] += slope.sum()
    return tuple(torch.stack(x).sum() for x in zip(*sums, strict=True)), pulls''',
    "_scores(": '''def _scores(product: _Product, vectors: Sequence[Tensor], rows: slice) -> Tensor:
    """Some rows of a product."""
    left, columns = vectors[product.left][rows], vectors[product.right].T
    if product.shift is not None:
        return torch.addmm(vectors[product.shift], left, columns, alpha=product.factor)
    if product.factor == 1:
        return left @ columns
    return torch.addmm(left.new_zeros(()), left, columns, beta=0, alpha=product.factor)''',
    "_Product(": '''class _Product(NamedTuple):
    """Which vectors are multiplied, those of the rows first, times what, and what is added."""

    left: int
    right: int
    factor: float = 1
    shift: int | None = None''',
    "_rows_at_once(": '''def _rows_at_once(x: Tensor) -> int:
    """So many rows whose scores stay in a processor's caches; elsewhere they need not."""
    scores = 2**18 * torch.get_num_threads() if x.is_cpu else 2**26
    return max(128, scores // max(len(x), 1))''',
}
