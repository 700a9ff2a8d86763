"""A job reruns when it reads something else, though its spec, its code and the content of every
file stay the same.

Snakemake's trigger `input` is off, so that other shards rerun nothing; the param `reads` stands for
it. The study is finished in name only: every output is an empty file, older than none of its
inputs.
"""

import shutil

import pytest
from edits import RECIPE, jobs_in, node_edit, study_in, yaml_edit
from finished import finish
from jobs import downstream, planned
from tree import copy_of_tree


def bound(study):
    """Outdoors is another task, for which posts can be made up as well."""
    study["bind"] = {"ctyun": {"outdoors": "smm4h23-task2"}}


def unused_dataset(recipe):
    recipe["datasets"]["spare"] = {
        "label": "ages/unlabeled",
        "teachers": ["qwen", "qwen15"],
        "keep": "agreement",
    }


def picked(recipe):
    recipe["predictors"]["ages-vote"] = {"pick": ["ages-expert"], "fit": "ages/dev"}


def voted(recipe):
    recipe["predictors"]["ages-vote"] = {
        "vote": ["ages-expert"],
        "rule": "majority",
        "ties": "probability",
    }


# An edit, and the jobs where it bites; all that follows from them reruns as well.
EDITS = {
    "a dataset less to train on": (
        node_edit("models", "outdoors-expert", data=["outdoors/train"]),
        "finetune outdoors-expert@seed=1",
    ),
    "another dataset to train on": (
        node_edit("models", "ages-plain", data=["ages/train", "drawn"]),
        "finetune ages-plain@seed=1",
    ),
    "datasets in another order": (
        node_edit("models", "ages-expert", data=["agreed", "ages/train"]),
        "finetune ages-expert@seed=1",
    ),
    "another base": (
        node_edit("models", "disorders-read", finetune="qwen15"),
        "finetune disorders-read@seed=1",
    ),
    "another source to augment": (
        node_edit("datasets", "doubled", augment="exchanged"),
        "augment doubled",
    ),
    "another budget": (node_edit("datasets", "drawn", budget="confident"), "label drawn"),
    "another member of a vote": (
        node_edit("predictors", "ages-vote", vote=["ages-read"]),
        "vote ages-vote scored",
    ),
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return finish(copy_of_tree(tmp_path_factory.mktemp("finished")))


@pytest.fixture
def tree(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "tree", symlinks=True)


@pytest.mark.parametrize("edit, jobs", [pytest.param(*EDITS[name], id=name) for name in EDITS])
def test_what_reads_something_else_reruns(tree, edit, jobs):
    edit(tree)
    study = study_in(tree)
    assert planned(tree) == downstream(study, jobs_in(jobs, study))


def test_another_predictor_under_an_old_name_is_scored_again_though_its_predictions_are_there(tree):
    yaml_edit(RECIPE, picked)(tree)
    finish(tree)
    assert planned(tree) == set()
    yaml_edit(RECIPE, voted)(tree)
    assert planned(tree) == jobs_in("score\ncompare\nreport", study_in(tree))


def test_a_report_without_a_dataset_that_nothing_else_reads_is_written_again(tree):
    yaml_edit(RECIPE, unused_dataset)(tree)
    finish(tree)
    assert planned(tree) == set()
    yaml_edit(RECIPE, lambda recipe: recipe["datasets"].pop("spare"))(tree)
    assert planned(tree) == jobs_in("report", study_in(tree))


def test_another_task_in_the_place_of_one_trains_all_that_reads_it_though_its_posts_are_made(tree):
    yaml_edit("studies/demo.yaml", bound)(tree)
    finish(tree)
    assert planned(tree) == set()
    yaml_edit("studies/demo.yaml", lambda study: study.pop("bind"))(tree)
    study = study_in(tree)
    expected = downstream(study, jobs_in("clean smm4h24-task3", study)) - jobs_in(
        "clean smm4h24-task3\naudit smm4h24-task3", study
    )
    assert planned(tree) == expected
