"""Settings for every test run from this folder."""

import os

# Before torch starts: several test processes share the cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")
