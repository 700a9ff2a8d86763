"""Names that every floor shares."""

SPLITS = ("train", "dev", "test", "cross", "unlabeled")  # a task may have fewer
