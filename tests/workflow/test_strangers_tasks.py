"""Three jobs whose files a reader wrote who had the README and docs/ alone.

The files in tests/stranger are as that reader wrote them, but for the width of their lines.
"""

import csv
import shutil

import pandas as pd
import pytest
from tree import ROOT, copy_of_tree, snakemake

from postgrad.graph.queries import models_under
from postgrad.study.study import Study

STRANGER = ROOT / "tests/stranger"
CLASSES = ("against", "neutral", "favor")


@pytest.fixture
def tree(tmp_path):
    return copy_of_tree(tmp_path)


def add_files(tree, job):
    shutil.copytree(STRANGER / job, tree / "config", dirs_exist_ok=True)


def graph_of(tree, study, recipe):
    """The graph of a study's recipe, once Snakemake has planned it whole."""
    done = snakemake(tree, "-n", "--config", f"study={study}", "check_data=false")
    assert done.returncode == 0, done.stdout + done.stderr
    config = {"study": study, "check_data": False}
    graph = Study(config, tree / "config").graph(recipe)
    assert not graph.not_run
    return graph


def test_three_encoders_have_a_hard_vote_for_each_seed(tree):
    add_files(tree, "three-encoders")
    graph = graph_of(tree, "three-encoders", "three-encoders")
    assert graph.ids["jury"] == ["jury@seed=1", "jury@seed=2", "jury@seed=3"]
    for id in graph.ids["jury"]:
        vote = graph.nodes[id]
        members = [graph.nodes[member] for member in vote.members]
        assert vote.verb == "vote" and vote.options["rule"] == "majority"
        assert len({member.base for member in members}) == 3
        assert {member.kind for member in members} == {"encoder"}
        assert {member.axes["seed"] for member in members} == {vote.axes["seed"]}
    assert graph.score["jury"] == ["pharma/dev", "pharma/test"]


def test_a_student_learns_from_a_teacher_in_folds(tree):
    add_files(tree, "self-training")
    graph = graph_of(tree, "self-training", "self-training")
    (reader,) = graph.ids["reader"]
    assert graph.nodes[reader].kind == "encoder" and graph.nodes[reader].options["mask"] == 0.15
    members = [graph.nodes[id] for id in graph.ids["member"]]
    points = {(member.axes["fold"], member.axes["seed"]) for member in members}
    assert points == {(fold, seed) for fold in range(1, 6) for seed in (1, 2, 3)}
    assert {(member.base, member.options["loss"]) for member in members} == {(reader, "focal")}
    (mean,) = graph.ids["mean"]
    assert graph.nodes[mean].options["rule"] == "soft"
    assert {*graph.nodes[mean].members} == {*graph.ids["member"]}
    (teacher,) = graph.ids["teacher"]
    assert graph.nodes[teacher].members == [mean]
    assert graph.nodes[teacher].options["method"] == "threshold"
    assert graph.nodes[teacher].fit == "ages/held-out"
    assert sorted(models_under(graph, teacher)) == sorted(graph.ids["member"])
    (sure,) = graph.ids["sure"]
    assert graph.nodes[sure].members == [teacher]
    datasets = {
        name: {source.partition("@")[0] for source in graph.nodes[id].sources}
        for name in ("student", "student-drawn", "student-none")
        for id in graph.ids[name]
    }
    assert datasets == {
        "student": {"ages/train", "sure"},
        "student-drawn": {"ages/train", "drawn"},
        "student-none": {"ages/train"},
    }
    assert all(graph.nodes[id].budget == sure for id in graph.ids["drawn"])
    assert graph.compare["student"]["controls"] == {"student-drawn": "student"}


def test_one_csv_file_becomes_three_splits(tree, tmp_path):
    add_files(tree, "stance")
    graph = graph_of(tree, "stance", "stance-steps")
    assert graph.score["jury"] == ["stance/dev", "stance/test"]
    with open(tmp_path / "posts.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "body", "stance"])
        for number in range(300):
            body = f"what I think of measure {number}, and why"
            writer.writerow([f"p{number}", body, CLASSES[number % 3]])
        writer.writerow(["p300", "", CLASSES[0]])
    config = ("--config", "study=stance", f"data={tmp_path}")
    done = snakemake(tree, *config, "--", "results/stance/clean/stance/ledger.parquet")
    assert done.returncode == 0, done.stdout + done.stderr
    lost = "clean: stance/undivided: 1 rows rejected: no text"
    log = (tree / "work/stance/log/clean/stance.log").read_text().splitlines()
    assert "clean.py" in log[0] and "clean: stance/train: 210 kept" in log
    assert lost in log and lost in done.stderr
    sizes = {}
    for split in ("train", "dev", "test"):
        posts = pd.read_parquet(tree / f"results/stance/clean/stance/{split}.parquet")
        sizes[split] = posts["label"].value_counts().sort_index().tolist()
    assert sizes == {"train": [70] * 3, "dev": [15] * 3, "test": [15] * 3}
