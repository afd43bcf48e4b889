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
    row = max(x.numel() // len(x) for x in tensors)
    rows = max(1, _block() // row)
    return zip(*(torch.split(x, rows) for x in tensors), strict=True)''',
    "_block(": '''def _block() -> int:
    """So many elements of some tensors fit the caches of all threads."""
    return 131072 * torch.get_num_threads()''',
}
