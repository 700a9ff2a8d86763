"""What comes first: the process that reads the workflow, before any of the library is imported."""

import gc

# The graph of 1,000 jobs is built once and kept: looking for garbage in it took a tenth of the start.
gc.set_threshold(100_000)
