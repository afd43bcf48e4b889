"""The scores of pairs: a product of vectors, what scales it and what is added.

In: a forward program and a product.  Out: ``Scores``, in which the numbers stand apart.

    sum_z[i, j] = sum_d z[i, d]*w[j, d]; sim[i, j] = a*sum_z[i, j] + b  →  sim, a, b
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from lossgen import nodes as nd
from lossgen.nodes import Read, free_letters, word
from lossgen.program import Program, Statement


@dataclass(frozen=True, slots=True)
class Scores:
    """The scores ``name = factor * product of left and right + shift``."""

    name: str
    factor: sp.Expr
    shift: sp.Expr
    left: Read
    right: Read

    @property
    def factors(self) -> tuple[sp.Expr, sp.Expr]:
        """What scales the product: what tensors say, and the rest."""
        parts = sp.Mul.make_args(self.factor)
        learned = [f for f in parts if f.atoms(Read)]
        return sp.Mul(*learned), sp.Mul(*(f for f in parts if f not in learned))


def scaled(forward: Program, x: Statement) -> tuple[str, sp.Expr, sp.Expr]:
    """What is read in place of a product, where that is a multiple of it plus a number."""
    alone = x.name, nd.ONE, nd.ZERO
    readers = [y for y in forward.statements if x.name in y.reads()]
    if len(readers) != 1 or readers[0].op != "map" or readers[0].free != x.free:
        return alone
    (reader,) = readers
    own = Read(word(x.name), *x.free)
    added = [t for t in sp.Add.make_args(reader.body) if not free_letters(t)]
    factors = sp.Mul.make_args(reader.body - sp.Add(*added))
    rest = [f for f in factors if f != own]
    numbers = all(not free_letters(f) for f in rest)
    if len(rest) != len(factors) - 1 or not numbers:
        return alone
    return reader.name, sp.Mul(*rest), sp.Add(*added)
