"""What makes the start of Snakemake cheaper, and what reruns nothing; it touches insides of the pinned version."""

import gc

from snakemake.persistence import PersistenceBase

# The graph of 1,000 jobs is built once and kept: looking for garbage in it took a tenth of the start.
gc.set_threshold(100_000)
# Our params are text, lists and mappings. Only to tell a frame among them, Snakemake imports pandas: 0.3 s.
PersistenceBase._serialize_param_pandas = PersistenceBase._serialize_param_builtin

# A pool predicted by four jobs is the same to the byte as by one, so another number of shards is no other input.
recorded = PersistenceBase._input


def without_shards(self, job):
    files = recorded(self, job)
    return [file for file in files if ".shards/" not in file] if job.rule.name == "predict" else files


PersistenceBase._input = without_shards
