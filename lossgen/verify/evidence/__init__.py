"""How equality is shown: as formulas where that can be had, else to 50 digits, else in numbers.

In: a ``Session`` whose checks found nothing. Out: ``Evidence``. The code is traced to a graph of
torch's own operations; the graph is run on symbols, and on numbers of 120 digits. Neither asks the
code to be written in any special way; of what cannot be traced it is said so.
"""

from lossgen.verify.evidence.gathering import Evidence, gather
from lossgen.verify.evidence.long import agrees, persists

__all__ = ["Evidence", "agrees", "gather", "persists"]
