"""Names that all packages share.

Splits, held-out posts, files of predictions, folds, and the ids of nodes.
"""

from collections.abc import Mapping

SPLITS = ("train", "dev", "test", "cross", "unlabeled")  # a task may have fewer
HELD_OUT = "held-out"  # ages/held-out: the posts of a folded dataset, each predicted by the model that left it out
# The two files of a predictor: what is scored, and what other nodes learn from.
SCORED, TEACHING = "scored", "teaching"
FOLD = "fold"  # the axis of a dataset in folds, and of all that is made from it
# No comma: Snakemake 9.27 tears a wildcard's value at commas on its way into a submitted job (its
# issue 2366).
_AT = "@"


def node_id(name: str, axes: Mapping[str, object]) -> str:
    """The id of a node at one point of its axes. Only made, never taken apart: name and axes are
    kept beside it.

    >>> node_id("ages-expert", {"seed": 1, "fold": 2})
    'ages-expert@fold=2@seed=1'
    """
    return _AT.join([name, *(f"{key}={value}" for key, value in sorted(axes.items()))])
