"""Rewrites a formula as written into one that computes well.

In: an expression, and what is known of the values in it. Out: an equal expression over the stable
nodes (``LogSigmoid``, ``Softplus``, ``logsumexp``, …), with the rules that fired and those that
were refused. The rules are a table (``table.RULES``); adding one is adding a row, and a test holds
each row against arithmetic of many digits. Rules look through the author's names.

    log(1 - sigmoid(x))   →   log_sigmoid(-x)

Where no rule decides among equal forms, ``search`` does, by measurement.
"""

from lossgen.stabilize.choosing import choose_forms
from lossgen.stabilize.empties import seeds_outside
from lossgen.stabilize.engine import Stabilizer, stabilize
from lossgen.stabilize.known import Known, Refused
from lossgen.stabilize.rule import Refusal, Rule
from lossgen.stabilize.saturation import held_finite
from lossgen.stabilize.search import Choice
from lossgen.stabilize.statements import StatementStabilizer, declare_seeds, learn
from lossgen.stabilize.table import RULES

__all__ = [
    "RULES",
    "Choice",
    "Known",
    "Refusal",
    "Refused",
    "Rule",
    "Stabilizer",
    "StatementStabilizer",
    "choose_forms",
    "declare_seeds",
    "held_finite",
    "learn",
    "seeds_outside",
    "stabilize",
]
