"""What type checkers see: the late imports of ``lossgen/__init__.py``."""

from lossgen.verify.api import assert_holds as assert_holds
from lossgen.verify.api import verify as verify
from lossgen.verify.verdict import Report as Report

__version__: str
