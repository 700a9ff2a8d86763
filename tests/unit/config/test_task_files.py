"""Every task file stands by itself: no study has to read it for its faults to be found."""

import numpy as np
import pytest
from tree import ROOT

from postgrad.config import task_files
from postgrad.config.errors import ConfigErrors
from postgrad.config.schemas import read_schema, valid_part
from postgrad.config.yaml_files import read_yaml
from postgrad.demo.file_formats import COLUMNS
from postgrad.demo.grammar import SHARES
from postgrad.evaluation.metrics import score_predictions

TASKS = sorted((ROOT / "config/tasks").glob("*.yaml"))


@pytest.mark.parametrize("path", TASKS, ids=lambda path: path.stem)
def test_a_task_file_has_no_fault(path):
    body, faults = read_yaml(path), ConfigErrors()
    valid_part(body, read_schema("task"), path.name, faults)
    faults.raise_any()
    task_files.check_task(body, path.name)


def test_the_demo_makes_posts_for_every_shared_task():
    shared = {path.stem for path in TASKS if path.stem.startswith("smm4h")}
    assert shared == set(SHARES) == set(COLUMNS)
    assert len(shared) == 11


def test_f1_of_all_classes_pooled_is_the_accuracy_less_what_abstains():
    """SMM4H-2023 Task 2: 3 of 5 right, one abstention; precision 3 of 4, recall 3 of 5."""
    task = read_yaml(next(path for path in TASKS if path.stem == "smm4h23-task2"))
    labels = [label["name"] for label in task["labels"]]
    positive = [labels.index(name) for name in task["positive"]]
    assert (labels, positive, task["metric"]) == (
        ["negative", "neutral", "positive"],
        [0, 1, 2],
        "f1",
    )
    gold, predicted = np.array([0, 1, 1, 2, 2]), np.array([0, 1, 2, 2, -1])
    found = score_predictions(
        gold, predicted, np.full((5, 3), 1 / 3), labels, positive, task["metric"]
    )["values"]
    assert found["precision"] == 3 / 4 and found["recall"] == found["accuracy"] == 3 / 5
    assert found["official"] == found["f1"] == pytest.approx(6 / 9)
