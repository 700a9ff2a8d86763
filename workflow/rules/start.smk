"""What makes the start of Snakemake cheaper; it touches insides of the pinned version."""

import gc

from snakemake.persistence import PersistenceBase

# The graph of 1,000 jobs is built once and kept: looking for garbage in it took a tenth of the start.
gc.set_threshold(100_000)
# Our params are text, lists and mappings. Only to tell a frame among them, Snakemake imports pandas: 0.3 s.
PersistenceBase._serialize_param_pandas = PersistenceBase._serialize_param_builtin
