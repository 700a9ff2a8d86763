"""`snakemake all_recipes`: every recipe at the study's scale, with a report of its own."""

import csv
import re
import shutil

import pytest
import yaml
from tree import copy_of_tree, snakemake

from postgrad.config.errors import ConfigError
from postgrad.study import specs
from postgrad.study.study import Study

FLOOR = {
    "defaults": {
        "finetune": {
            "seed": 1,
            "ngrams": [1, 1],
            "c": 10.0,
            "class_weights": "balanced",
            "threads": 1,
        }
    },
    "models": {"floor": {"finetune": "linear", "data": ["own/train"]}},
    "score": {"floor": ["own/dev"]},
}
POSTS = {"train": 60, "dev": 30, "test": 30, "decoys": 10}
STUDY = {
    "title": "Two small systems",
    "recipes": ["first"],
    "scale": "here",
    "bind": {"second": {"own": "smm4h24-task5"}},
    "made": {"seed": 1, "posts": {"smm4h22-task7": POSTS, "smm4h24-task5": POSTS}},
}
REPORT = ("report.html", "scores.csv", "scores.txt")


@pytest.fixture(scope="module")
def clean_tree(tmp_path_factory):
    """A copy of the tree with two recipes and a study that asks for the first. Nothing has run."""
    folder = copy_of_tree(tmp_path_factory.mktemp("two"))
    shutil.rmtree(folder / "config/recipes")
    write(folder, "recipes/first", {"title": "First", "tasks": {"own": "smm4h22-task7"}, **FLOOR})
    write(folder, "recipes/second", {"title": "Second", "tasks": {"own": "smm4h20-task1"}, **FLOOR})
    write(folder, "studies/two", STUDY)
    write(folder, "scales/here", {"bases": {"linear": {}}})
    write(folder, "config", {"study": "two"})
    return folder


@pytest.fixture
def tree(clean_tree, tmp_path):
    return shutil.copytree(clean_tree, tmp_path / "tree")


def write(folder, name, content):
    path = folder / "config" / f"{name}.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump(content))


def change(folder, name, **keys):
    write(
        folder, name, {**yaml.safe_load((folder / "config" / f"{name}.yaml").read_text()), **keys}
    )


def study(folder):
    return Study({"study": "two", "check_data": False}, root=folder / "config")


def reported(folder):
    """The recipes in a folder's scores.csv."""
    return {row["recipe"] for row in csv.DictReader((folder / "scores.csv").open())}


def refused(folder, *arguments):
    """The sentences with which Snakemake ends before anything is run."""
    done = snakemake(folder, *arguments)
    said = done.stdout + done.stderr
    assert done.returncode != 0 and "Nothing was run" in said and "Traceback" not in said
    assert not (folder / "results").exists() and not (folder / "work").exists()
    return said


@pytest.mark.slow
def test_each_target_writes_its_own_report_and_leaves_the_other_alone(tree, forked_python):
    own, every = tree / "results/two", tree / "results/two/all_recipes"
    done = snakemake(tree, python=forked_python)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Scores: results/two/scores.txt   Report: results/two/report.html" in done.stdout
    verdict = (own / "verdict.txt").read_text().rstrip()
    assert verdict in done.stdout and len(verdict.splitlines()) <= 30
    assert not every.exists() and reported(own) == {"first"} and not (own / "second").exists()
    before = {name: ((own / name).read_bytes(), (own / name).stat().st_mtime_ns) for name in REPORT}
    done = snakemake(tree, "all_recipes", python=forked_python)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (
        "Scores: results/two/all_recipes/scores.txt   Report: results/two/all_recipes/report.html"
        in done.stdout
    )
    assert "Scores: results/two/scores.txt" not in done.stdout
    assert reported(every) == {"first", "second"}
    ranked = (every / "scores.txt").read_text().splitlines()
    assert ranked[0].startswith("The rank of each recipe on each task")
    assert [told.split()[:3] for told in ranked if told.startswith("  1  ")] == [
        ["1", "first:", "floor"],
        ["1", "second:", "floor"],
    ]
    assert "The rank of each recipe" not in (own / "scores.txt").read_text()
    assert (
        'id="ranks"' in (every / "report.html").read_text()
        and 'id="ranks"' not in (own / "report.html").read_text()
    )
    assert (
        (every / "scores.txt").read_text().endswith("Report: results/two/all_recipes/report.html\n")
    )
    assert "<h1>Two small systems" in (every / "report.html").read_text()
    assert before == {
        name: ((own / name).read_bytes(), (own / name).stat().st_mtime_ns) for name in REPORT
    }
    for target in ("all", "all_recipes"):
        assert "Nothing to be done" in snakemake(tree, "-n", target).stdout


def test_a_dry_run_names_nodes_by_recipe_where_there_are_several(tree):
    one, every = snakemake(tree, "-n").stdout, snakemake(tree, "-n", "all_recipes").stdout
    assert re.search(r"^finetune +floor +1 +new$", one, re.M) and "second" not in one
    for recipe in ("first", "second"):
        assert re.search(rf"^finetune +{recipe}/floor +1 +new$", every, re.M)


def test_a_job_of_a_recipe_that_is_not_asked_for_is_found(tree):
    """As in a job that was sent to a cluster, which starts Snakemake anew with its own file as
    target.
    """
    done = snakemake(tree, "-n", "results/two/second/score/score.json")
    assert re.search(r"^score +second +1 +new$", done.stdout, re.M), done.stdout + done.stderr


def test_a_fault_of_another_recipe_is_told_where_it_is_asked_for(tree):
    change(tree, "recipes/second", score={"flor": ["own/dev"]})
    write(tree, "recipes/third", {"title": "Third", "tasks": {"own": "smm4h22-task77"}, **FLOOR})
    assert snakemake(tree, "-n").returncode == 0
    said = refused(tree, "-n", "all_recipes")
    assert "Nothing was run: the configuration has 2 mistakes." in said
    assert "no node 'flor'; did you mean 'floor'" in said and "did you mean 'smm4h22-task7'" in said
    assert "did you mean 'floor'" in refused(tree, "-n", "results/two/second/score/score.json")


def test_other_recipes_are_read_when_they_are_looked_at(clean_tree):
    found = study(clean_tree)
    assert list(found.graphs) == ["first"] and found.tasks() == ["smm4h22-task7"]
    assert found.graph("second").nodes and found.tasks() == ["smm4h22-task7"]
    assert found.tasks(found.all_recipes()) == ["smm4h22-task7", "smm4h24-task5"]
    assert '"second"' not in specs.report_spec(found)


def test_posts_are_made_for_every_task_that_the_study_names(tree):
    files = study(tree).made_files()
    assert {file.split("/")[3] for file in files} == {"smm4h22-task7", "smm4h24-task5"}
    change(tree, "studies/two", made={"seed": 1, "posts": {"smm4h22-task7": POSTS}})
    assert study(tree).graph("first").nodes
    with pytest.raises(
        ConfigError, match="made.posts: smm4h24-task5 is missing; say how many posts it gets"
    ):
        study(tree).graph("second")


def test_no_recipe_takes_the_name_of_the_folder(tree):
    (tree / "config/recipes/second.yaml").rename(tree / "config/recipes/all_recipes.yaml")
    change(tree, "studies/two", bind={})
    with pytest.raises(
        ConfigError, match="'all_recipes' is a folder of results; rename the recipe"
    ):
        study(tree).read(["all_recipes"])
