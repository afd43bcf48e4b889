"""Sums over positions of few classes in one loop, which then share what the classes have in common.

In: a statement of a program that a compiler is to fuse.  Out: its value, class by class.

    hit[n, c] = sum_s target[n, c, s]*share(input[n, c, s], top[n, s], total[n, s])
    →  _by_class(lambda target, input: (target * …).sum(-1), 1, target, input)

Where other axes stand after the classes, torch's compiler writes a loop over the classes around one
over the elements, and goes over what all classes read, and over the scores of the others, once for
each.  It refuses nothing: what cannot be taken apart stays whole.
"""

from __future__ import annotations

from dataclasses import dataclass

from lossgen.backends.compile_softmax import Share
from lossgen.backends.torch_context import Context
from lossgen.brackets import bare
from lossgen.nodes import TRUE, Letter, Read, free_letters, walk
from lossgen.program import Statement


@dataclass(frozen=True, slots=True)
class Classes(Context):
    """Prints what is computed class by class."""

    def by_class(self, x: Statement, code: str) -> str:
        """The code of a sum, for each class where they are few."""
        letters = self.program.sorted({*x.free, *free_letters(x.body)})
        found = self._normalised() & {*x.free}
        if x.op != "sum" or len(found) != 1:
            return code
        (classes,) = found
        dim = letters.index(classes)
        reads = [e for e in walk(x.body) if isinstance(e, Read) and classes in e.subscripts]
        aligned = all(e.subscripts.index(classes) == dim for e in reads)
        after = {*x.bound} <= {*letters[dim:]}
        # A size would be that of one class.
        if not (after and aligned) or x.where is not TRUE or x.extents or "shape" in code:
            return code
        names = ", ".join(dict.fromkeys(e.name for e in reads))
        return f"_by_class(lambda {names}: {bare(code)}, {dim}, {names})"

    def _normalised(self) -> set[Letter]:
        """The letters along which the program has softmaxes."""
        shares = (
            e
            for x in self.program.statements
            for whole in x.expressions()
            for e in walk(whole)
            if isinstance(e, Share)
        )
        return {y for e in shares for y in free_letters(e.args[0]) - free_letters(e.args[1])}
