"""The official shapes of made-up corpora.

Each task's files, columns, label values and spreadsheet leftovers.
"""

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

Row = list[Any]  # the cells of one line of a file

_TWEETS = {"tweet_id": "id", "text": "text", "label": "label"}
# The official names of the columns in the official order, each with ours.
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
COMMAS = (
    "smm4h23-task2",
    "smm4h23-task4",
    "smm4h24-task3",
    "smm4h24-task6",
)  # csv files; the others are tsv
VALUES: dict[str, list[str] | list[int]] = {  # else the class codes 0, 1, ...
    "smm4h20-task5": [1, 2, 3],
    "smm4h22-task1a": ["NoADE", "ADE"],
    "smm4h23-task2": ["negative", "neutral", "positive"],
}


def cells(post: Mapping[str, Any], task: str) -> dict[str, Any]:
    """Return the value of each official column of a post.

    Its user and its time depend only on its id.
    """
    rng = random.Random(post["id"])
    user = rng.getrandbits(30)
    time = datetime(2014, 1, 1, tzinfo=UTC) + timedelta(seconds=rng.randrange(5 * 365 * 86400))
    label = VALUES[task][post["label"]] if task in VALUES else post["label"]
    known = {**post, "user": user, "time": f"{time:%a %b %d %H:%M:%S +0000 %Y}", "label": label}
    return {column: known[key] for column, key in COLUMNS[task].items()}


def tables(
    task: str, made: Mapping[str, Sequence[Mapping[str, Any]]], seed: int
) -> dict[str, list[Row]]:
    """{file name: rows, the header first} of a corpus. made: {train, dev, test, decoys: posts}.

    The test file holds test posts and decoys without labels in a random order, test_gold the labels
    of test.
    """
    suffix = "csv" if task in COMMAS else "tsv"
    found = {split: [cells(post, task) for post in made[split]] for split in made}
    header = list(COLUMNS[task])
    unlabelled = [column for column, key in COLUMNS[task].items() if key != "label"]
    gold = [column for column, key in COLUMNS[task].items() if key in ("id", "label")]
    mixed = found["test"] + found["decoys"]
    random.Random(f"{seed} {task}").shuffle(mixed)
    files = {
        "train": [header, *([row[name] for name in header] for row in found["train"])],
        "dev": [header, *([row[name] for name in header] for row in found["dev"])],
        "test": [unlabelled, *([row[name] for name in unlabelled] for row in mixed)],
        "test_gold": [gold, *([row[name] for name in gold] for row in found["test"])],
    }
    if task == "smm4h24-task3":
        files["train"] = with_leftovers(files["train"], made["train"])
    return {f"{name}.{suffix}": rows for name, rows in files.items()}


def with_leftovers(rows: Sequence[Row], train: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Rows as a spreadsheet left them in 2024 Task 3.

    A BOM, four columns without a name, a summary of seven rows.
    """
    header, *body = rows
    counts = [sum(post["label"] == label for post in train) for label in range(4)]
    table: list[Row] = [[], ["label", "posts"], *map(list, enumerate(counts)), ["all", sum(counts)]]
    summary = [[None] * 4 + row + [None] * (4 - len(row)) for row in table]
    return [
        ["\ufeff" + header[0], *header[1:], *[""] * 4],
        *(row + [""] * 4 for row in body),
        *summary,
    ]
