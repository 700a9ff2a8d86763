"""Write made-up corpora in the official file formats: files, columns and label values of a task."""

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

Row = list[Any]  # the cells of one line of a file

_TWEETS = {"tweet_id": "id", "text": "text", "label": "label"}
# task -> {official name of a column, in the official order: the key of its value in a post}.
COLUMNS = {
    "smm4h20-task1": {
        "tweet_id": "id",
        "user_id": "user",
        "tweet": "text",
        "created_at": "time",
        "class": "label",
    },
    "smm4h20-task2en": {"tweet_id": "id", "user_id": "user", "class": "label", "tweet": "text"},
    "smm4h20-task5": {"tweet_id": "id", "user_id": "user", "tweet": "text", "class": "label"},
    "smm4h22-task1a": {"tweet_id": "id", "tweet": "text", "label": "label"},
    "smm4h22-task7": _TWEETS,
    "smm4h23-task1": _TWEETS,
    "smm4h23-task2": {"tweet_id": "id", "therapy": "keyword", "text": "text", "label": "label"},
    "smm4h23-task4": {"id": "id", "text": "text", "label": "label"},
    "smm4h24-task3": {"id": "id", "keyword": "keyword", "text": "text", "label": "label"},
    "smm4h24-task5": _TWEETS,
    "smm4h24-task6": {"id": "id", "text": "text", "source": "source", "label": "label"},
}
# Tasks with CSV files. Those of the other tasks are TSV.
CSV_TASKS = ("smm4h23-task2", "smm4h23-task4", "smm4h24-task3", "smm4h24-task6")
# What stands for each class code in the files. Default: the codes 0, 1, ...
LABEL_VALUES: dict[str, list[str] | list[int]] = {
    "smm4h20-task5": [1, 2, 3],
    "smm4h22-task1a": ["NoADE", "ADE"],
    "smm4h23-task2": ["negative", "neutral", "positive"],
}


def official_cells(post: Mapping[str, Any], task: str) -> dict[str, Any]:
    """Return the value of each official column for a post.

    The user and the time are random, and depend only on the id of the post.
    """
    rng = random.Random(post["id"])
    user = rng.getrandbits(30)
    time = datetime(2014, 1, 1, tzinfo=UTC) + timedelta(seconds=rng.randrange(5 * 365 * 86400))
    label = LABEL_VALUES[task][post["label"]] if task in LABEL_VALUES else post["label"]
    values = {**post, "user": user, "time": f"{time:%a %b %d %H:%M:%S +0000 %Y}", "label": label}
    return {column: values[key] for column, key in COLUMNS[task].items()}


def corpus_files(
    task: str, splits: Mapping[str, Sequence[Mapping[str, Any]]], seed: int
) -> dict[str, list[Row]]:
    """Return the rows of each file of a corpus.

    Parameters
    ----------
    task
        A key of `COLUMNS`.
    splits
        The posts of train, dev, test and decoys, as from `grammar.make_corpus`.
    seed
        The seed of the order of the test file.

    Returns
    -------
    dict
        {file name: rows}, where the first row is the header. The file test holds the test posts and
        the decoys, without labels and in a random order. The file test_gold holds the labels of the
        test posts.
    """
    suffix = "csv" if task in CSV_TASKS else "tsv"
    cells = {split: [official_cells(post, task) for post in splits[split]] for split in splits}
    header = list(COLUMNS[task])
    unlabelled = [column for column, key in COLUMNS[task].items() if key != "label"]
    gold = [column for column, key in COLUMNS[task].items() if key in ("id", "label")]
    mixed = cells["test"] + cells["decoys"]
    random.Random(f"{seed} {task}").shuffle(mixed)
    files = {
        "train": [header, *([row[name] for name in header] for row in cells["train"])],
        "dev": [header, *([row[name] for name in header] for row in cells["dev"])],
        "test": [unlabelled, *([row[name] for name in unlabelled] for row in mixed)],
        "test_gold": [gold, *([row[name] for name in gold] for row in cells["test"])],
    }
    if task == "smm4h24-task3":
        files["train"] = add_spreadsheet_leftovers(files["train"], splits["train"])
    return {f"{name}.{suffix}": rows for name, rows in files.items()}


def add_spreadsheet_leftovers(rows: Sequence[Row], train: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Return the rows with what a spreadsheet left in the train file of 2024 Task 3.

    The leftovers are a byte order mark, four columns without a name, and a summary of seven rows
    below the posts.
    """
    header, *body = rows
    counts = [sum(post["label"] == label for post in train) for label in range(4)]
    totals: list[Row] = [[], ["label", "posts"], *map(list, enumerate(counts))]
    totals.append(["all", sum(counts)])
    summary = [[None] * 4 + row + [None] * (4 - len(row)) for row in totals]
    return [
        ["\ufeff" + header[0], *header[1:], *[""] * 4],
        *(row + [""] * 4 for row in body),
        *summary,
    ]
