"""What the code computes instead: the confusions people make, tried one by one.

In: a ``Session`` and the ``Witness`` that refuted the code. Out: sentences that go on after "it
equals the formula". A sentence is given only if value and gradient of the changed formula agree
with the code at several points.
"""

from lossgen.verify.diagnose.search import diagnose

__all__ = ["diagnose"]
