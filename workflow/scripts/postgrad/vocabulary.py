"""Names that every floor shares."""

SPLITS = ("train", "dev", "test", "cross", "unlabeled")  # a task may have fewer
# Between a node's name and its axes: ages-expert@seed=1. No comma: Snakemake 9.27 tears a wildcard's value at commas on
# its way into a submitted job (its issue 2366).
AT = "@"
