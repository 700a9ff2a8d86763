"""Every task file stands by itself: no study has to read it for its faults to be found."""

from pathlib import Path

import pytest

from postgrad import corpora
from postgrad.configuration import Faults, fitting, read_yaml, schema
from postgrad.grammar import SHARES
from postgrad.shapes import COLUMNS

TASKS = sorted((Path(__file__).resolve().parents[1] / "config/tasks").glob("*.yaml"))


@pytest.mark.parametrize("path", TASKS, ids=lambda path: path.stem)
def test_a_task_file_has_no_fault(path):
    body, faults = read_yaml(path), Faults()
    fitting(body, schema("task"), path.name, faults)
    faults.end()
    corpora.task(body, path.name)


def test_the_demo_makes_posts_for_every_shared_task():
    shared = {path.stem for path in TASKS if path.stem.startswith("smm4h")}
    assert shared == set(SHARES) == set(COLUMNS)
    assert len(shared) == 8
