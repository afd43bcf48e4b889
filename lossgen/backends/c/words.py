"""Names that mean something else in C.

c_name("union")  →  "union_"
"""

_KEYWORDS = (
    "auto break case char const continue default do double else enum extern float for goto if "
    "inline int long register restrict return short signed sizeof static struct switch typedef "
    "union unsigned void volatile while"
)
_OURS = (
    "real scalar load store stream turn populate chunk task run begin end ahead start lanes width "
    "blocks runs chunks tasks splits memory most first last status failure seed team upstream "
    "total loss_out call scale weigh weights behind left"
)
SHORT = "SHORT"  # whether what is left of a row beside whole vectors is most of it
ROWS = "ROWS"  # whether vectors run along the inner letter, where they may run along either
RESERVED = frozenset((*_KEYWORDS.split(), *_OURS.split()))


def c_name(name: str) -> str:
    """A name as the kernel has it."""
    return f"{name}_" if name in RESERVED else name


def extent(letter: object) -> str:
    """The number of positions of a letter: ``N`` for ``n``."""
    return str(letter).upper()
