"""What makes the start of Snakemake cheaper, and what reruns nothing; it touches insides of the pinned version."""

import gc
from functools import cache

from snakemake import common
from snakemake import rules as of_rules
from snakemake.persistence import PersistenceBase

# The graph of 1,000 jobs is built once and kept: looking for garbage in it took a tenth of the start.
gc.set_threshold(100_000)
# Our params are text, lists and mappings. Only to tell a frame among them, Snakemake imports pandas: 0.3 s.
PersistenceBase._serialize_param_pandas = PersistenceBase._serialize_param_builtin
# Snakemake reads the signature of a rule's function anew for each job: a twentieth of the start.
common.get_function_params = of_rules.get_function_params = cache(common.get_function_params)

# A pool predicted by four jobs is the same to the byte as by one, so another number of shards is no other input.
recorded = PersistenceBase._input


def without_shards(self, job):
    files = recorded(self, job)
    return [file for file in files if ".shards/" not in file] if job.rule.name == "predict" else files


PersistenceBase._input = without_shards
