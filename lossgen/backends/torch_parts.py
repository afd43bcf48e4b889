"""What a generated module needs to go through large tensors in blocks.

In: nothing.  Out: the text of each helper, under what a line that needs it says; ``torch_helpers``
puts them into a module.
"""

from __future__ import annotations

BLOCKS = {
    "_large(": '''def _large(*tensors: Tensor) -> bool:
    """Whether blocks pay: on a CPU, for tensors that its cores' caches do not hold."""
    if torch.compiler.is_compiling() or tensors[0].numel() < 4 * _block():
        return False
    return all(x.is_cpu and x.is_contiguous() for x in tensors)''',
    "_huge(": '''def _huge(*tensors: Tensor) -> bool:
    """Whether blocks pay: on a CPU, for arrays that the C library maps anew at every step."""
    if torch.compiler.is_compiling() or tensors[0].numel() < _MAPPED:
        return False
    return all(x.is_cpu and x.is_contiguous() for x in tensors)''',
    "_MAPPED": "_MAPPED = 2**23  # of float32, 32 MB",
    "_blocks(": '''def _blocks(*tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """The tensors in parts along the first axis that fit the caches."""
    row = max(x.numel() // len(x) for x in tensors)
    rows = max(1, _block() // row)
    return zip(*(torch.split(x, rows) for x in tensors), strict=True)''',
    "_block(": '''def _block() -> int:
    """So many elements of some tensors fit the caches of all threads."""
    return 131072 * torch.get_num_threads()''',
}
