"""Names that all packages share: splits, files of predictions, folds, and the ids of nodes."""

from collections.abc import Mapping

SPLITS = ("train", "dev", "test", "cross", "unlabeled")  # A task may have fewer.
TRAINED = ("train", "unlabeled")  # splits from which models learn
EVALUATED = ("test", "dev", "cross")  # on which they are chosen and scored
# The split of a dataset in folds whose posts are each predicted by the model that was trained
# without them, for example ages/held-out.
HELD_OUT = "held-out"
# The two files of a predictor: predictions that are scored, and predictions that other nodes learn
# from.
SCORED, TEACHING = "scored", "teaching"
# The axis of a dataset in folds and of all nodes that are made from it.
FOLD = "fold"
# The separator in ids is no comma: Snakemake 9.27 splits the value of a wildcard at commas when it
# submits a job (its issue 2366).
_SEPARATOR = "@"


def node_id(name: str, axes: Mapping[str, object]) -> str:
    """Return the id of a node at one point of its axes, which are sorted by name.

    An id is never parsed: the name and the axes are stored together with it.

    Parameters
    ----------
    name
        The name of the node in the recipe.
    axes
        The value of each axis.

    Examples
    --------
    >>> node_id("ages-expert", {"seed": 1, "fold": 2})
    'ages-expert@fold=2@seed=1'
    """
    return _SEPARATOR.join([name, *(f"{key}={value}" for key, value in sorted(axes.items()))])
