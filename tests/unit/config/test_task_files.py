"""Every task file stands by itself: no study has to read it for its faults to be found."""

import numpy as np
import pytest
from tree import ROOT

from postgrad.config import task_files
from postgrad.config.errors import ConfigError, ConfigErrors
from postgrad.config.schemas import read_schema, valid_part
from postgrad.config.yaml_files import read_yaml
from postgrad.demo.file_formats import COLUMNS
from postgrad.demo.grammar import SHARES
from postgrad.evaluation.metrics import score_predictions
from postgrad.study.specs import canonical_json

TASKS = sorted((ROOT / "config/tasks").glob("*.yaml"))


@pytest.mark.parametrize("path", TASKS, ids=lambda path: path.stem)
def test_a_task_file_has_no_fault(path):
    body, faults = read_yaml(path), ConfigErrors()
    valid_part(body, read_schema("task"), path.name, faults)
    faults.raise_any()
    task_files.check_task(task_files.complete_task(body, path.stem), path.name)


@pytest.mark.parametrize("path", TASKS, ids=lambda path: path.stem)
def test_a_full_task_file_stays_as_it_is(path):
    """Otherwise its specs would change, and finished results would be made again."""
    body = read_yaml(path)
    assert canonical_json(task_files.complete_task(body, path.stem)) == canonical_json(body)


SHORT = {"metric": "macro_f1", "labels": ["against", {"name": "favor", "value": 7}], "splits": {}}


def test_a_short_task_file_has_a_full_form():
    assert task_files.complete_task(SHORT, "stance") == {
        "title": "stance",
        "platform": "unknown",
        "metric": "macro_f1",
        "labels": [
            {
                "name": "against",
                "value": "against",
                "word": "against",
                "digit": "0",
                "about": "stance: against",
            },
            {"name": "favor", "value": 7, "word": "favor", "digit": "1", "about": "stance: favor"},
        ],
        "prompt": "stance\nAnswer with one of: against (0), favor (1).\nPost: {text}\nAnswer:",
        "splits": {},
    }
    assert SHORT["labels"][0] == "against"


def test_the_default_prompt_suits_the_task():
    splits = {"train": {"columns": {"text": "t", "label": "l", "keyword": "k"}}, "dev": {}}
    task = {**SHORT, "title": "Is {it} so?", "platform": "twitter", "splits": splits}
    prompt = task_files.complete_task(task, "stance")["prompt"]
    assert prompt.splitlines()[0] == "Is (it) so?"
    assert prompt.splitlines()[2:] == ["Keyword: {keyword}", "Tweet: {text}", "Answer:"]
    divide = {"columns": {"text": "t", "label": "l"}}
    assert "{keyword}" not in task_files.complete_task({**task, "divide": divide}, "x")["prompt"]


def test_a_class_may_be_a_number_and_may_not_be_a_truth_value():
    full = task_files.complete_task({**SHORT, "labels": [0, 1], "positive": [1]}, "stance")
    assert [label["name"] for label in full["labels"]] == ["0", "1"] and full["positive"] == ["1"]
    faults = ConfigErrors()
    valid_part({**SHORT, "labels": [True, "no"]}, read_schema("task"), "task.yaml", faults)
    (told,) = [fault for fault in faults if "labels" in fault and "true" in fault]
    assert "put it in quotes (YAML reads yes, no, on and off as true and false)" in told


def test_a_class_that_occurs_twice_is_told_once():
    task = {**SHORT, "labels": ["no", "no"], "splits": {"train": {"file": "a", "columns": {
        "text": "text", "label": "label"}}}}  # fmt: skip
    with pytest.raises(ConfigError) as caught:
        task_files.check_task(task_files.complete_task(task, "stance"), "task.yaml")
    assert str(caught.value) == (
        "task.yaml: labels: two labels have the name 'no'; give each its own."
    )


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
