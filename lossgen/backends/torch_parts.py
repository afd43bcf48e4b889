"""The source of helpers that take large tensors in blocks.

In: nothing.  Out: definitions by the text that calls for each, a part of ``torch_helpers``.

    BLOCKS["_large("]  →  the definition of _large

It refuses nothing.
"""

from __future__ import annotations

BLOCKS: dict[str, str] = {
    "_large(": '''def _large(*tensors: Tensor, least: int = 0) -> bool:
    """Whether blocks pay: on a CPU, for tensors that its cores' caches do not hold."""
    if torch.compiler.is_compiling() or tensors[0].numel() < max(least, 4 * _block()):
        return False
    return all(x.is_cpu and x.is_contiguous() for x in tensors)''',
    "_MAPPED": "_MAPPED = 2**23  # elements, 32 MB: the C library maps so much anew each time",
    "_blocks(": '''def _blocks(*tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """The tensors in parts along the first axis that fit the caches."""
    return _parts(_block(), tensors)''',
    "_rows(": '''def _rows(*tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """The tensors in parts along the first axis, few enough that calls cost little."""
    return _parts(4 * _block(), tensors)''',
    "_parts(": '''def _parts(
    size: int, tensors: tuple[Tensor, ...]
) -> Iterator[tuple[Tensor, ...]]:
    """The tensors in parts along the first axis of so many elements, or of one row."""
    row = max(x.numel() // len(x) for x in tensors)
    rows = max(1, size // row)
    return zip(*(torch.split(x, rows) for x in tensors), strict=True)''',
    "_block(": '''def _block() -> int:
    """So many elements of some tensors fit the caches of all threads."""
    return 65536 * torch.get_num_threads()''',
    "_sum_in_blocks(": '''def _sum_in_blocks(
    function: Any, tensors: tuple[Tensor, ...], *rest: Any
) -> Tensor:
    """The sum of all items, their gradient found while a block is in the caches."""
    needed = tuple(torch.is_grad_enabled() and x.requires_grad for x in tensors)
    apply: Callable[..., tuple[Tensor, ...]] = _InBlocks.apply
    return apply(function, needed, rest, *(x.flatten() for x in tensors))[0]''',
    "_InBlocks": '''class _InBlocks(_InOrder, torch.autograd.Function):
    """A summed loss block by block, forward and backward of each at once."""

    generate_vmap_rule = True

    @staticmethod
    def forward(
        function: Any, needed: tuple[bool, ...], rest: tuple[Any, ...], *inputs: Tensor
    ) -> tuple[Tensor, ...]:
        one, losses, start = inputs[0].new_ones(()), [], 0
        gradients: list[Tensor] = []
        for block in _blocks(*inputs):
            loss, *found = _at_once(function, needed, (*block, *rest), one)
            losses.append(loss)
            gradients = gradients or [x.new_empty(len(inputs[0])) for x in found]
            end = start + len(block[0])
            for whole, part in zip(gradients, found, strict=True):
                whole[start:end] = part
            start = end
        return torch.stack(losses).sum(), *gradients

    @staticmethod
    def setup_context(
        ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]
    ) -> None:
        ctx.function, ctx.needed, ctx.rest, *tensors = inputs
        ctx.save_for_backward(*tensors, *output[1:])
        ctx.save_for_forward(*tensors)
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(
        ctx: Any, grad_loss: Tensor | None, *unused: None
    ) -> tuple[Tensor | None, ...]:
        if grad_loss is None:
            return None, None, None, *(None for _ in ctx.needed)
        count = len(ctx.needed)
        inputs, found = ctx.saved_tensors[:count], ctx.saved_tensors[count:]
        if torch.is_grad_enabled():
            # For a second derivative, the first must depend on the inputs.
            _, *found = _at_once(ctx.function, ctx.needed, (*inputs, *ctx.rest), grad_loss)
        else:
            found = [grad_loss * x for x in found]
        left = iter(found)
        return None, None, None, *(next(left) if x else None for x in ctx.needed)

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> tuple[Tensor | None, ...]:
        def formula(*inputs: Any) -> tuple[Tensor, ...]:
            one = inputs[0].new_ones(())
            return tuple(_at_once(ctx.function, ctx.needed, (*inputs, *ctx.rest), one))

        return _tangents(formula, ctx.saved_tensors[: len(ctx.needed)], tangents[3:])''',
    "_at_once(": '''def _at_once(
    function: Any, needed: tuple[bool, ...], arguments: tuple[Any, ...], grad: Tensor
) -> list[Tensor]:
    """What a ``Function`` returns, and the gradients that are needed."""
    output = function.forward(*arguments)
    if not any(needed):
        return [output[0]]
    ctx = _Context((*needed, *(False for _ in arguments[len(needed) :])))
    function.setup_context(ctx, arguments, output)
    gradients = function.backward(ctx, grad)
    return [output[0], *(x for x, asked in zip(gradients, needed, strict=False) if asked)]''',
    "_Context(": '''class _Context:
    """What a ``Function`` keeps for its backward, where it is not autograd that calls it."""

    saved_tensors: tuple[Any, ...]
    options: tuple[Any, ...]

    def __init__(self, needs_input_grad: tuple[bool, ...]) -> None:
        self.needs_input_grad = needs_input_grad

    def save_for_backward(self, *tensors: Any) -> None:
        self.saved_tensors = tensors

    def save_for_forward(self, *tensors: Any) -> None:
        pass

    def set_materialize_grads(self, value: bool) -> None:
        pass''',
}
