"""Names that all packages share: splits, held-out posts, folds, and the sign between a node and its axes."""

SPLITS = ("train", "dev", "test", "cross", "unlabeled")  # a task may have fewer
HELD_OUT = "held-out"  # ages/held-out: the posts of a folded dataset, each predicted by the model that left it out
FOLD = "fold"  # the axis of a dataset in folds, and of all that is made from it
# Between a node's name and its axes: ages-expert@seed=1. No comma: Snakemake 9.27 tears a wildcard's value at commas on
# its way into a submitted job (its issue 2366).
AT = "@"
