"""The table of rules: what is matched, what it becomes, where that is valid.

A row's condition is shown, from roles, options' domains and structure, or the rule is refused.
"every x" means that both sides are equal for every real number, and NaN where one of them is.
Of several rules for one node the first that matches is taken. The rows stand in a file for each
kind of expression.
"""

from __future__ import annotations

from lossgen.stabilize.rows_functions import FUNCTIONS
from lossgen.stabilize.rows_products import PRODUCTS
from lossgen.stabilize.rows_sums import SUMS
from lossgen.stabilize.rule import Rule

RULES: tuple[Rule, ...] = (*FUNCTIONS, *SUMS, *PRODUCTS)
