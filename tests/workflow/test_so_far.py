"""A report of what there is: of a study in which one job failed, during a run, and after a change.

The study has linear models, and one encoder whose base cannot be fetched without a network.
"""

import csv
import shutil

import pytest
import yaml
from study_files import write_config
from tree import copy_of_tree, snakemake

from postgrad.runtime.locks import hold_lock

pytestmark = pytest.mark.slow

WORDS = ["rain", "sun", "cloud", "wind", "snow", "hail", "storm", "mist"]
COLUMNS = {"id": "id", "text": "text", "label": "label"}
SPLITS = {
    split: {"file": f"rain/{split}.csv", "columns": COLUMNS} for split in ("train", "dev", "test")
}


def recipe(content):
    content["datasets"] = {}
    one = {"finetune": "linear", "data": ["rain/train"], "each": {"seed": [1, 2]}}
    content["models"] = {
        "one": one,
        "two": one | {"ngrams": [1, 1]},
        "far": {"finetune": "away", "data": ["rain/train"], "seed": 1},
    }
    content["predictors"] = {}
    content["compare"] = {"rain": {"chain": ["one", "two", "far"], "sets": ["rain/dev"]}}


def rows(tree):
    with (tree / "results/test/so_far/scores.csv").open() as file:
        return [row for row in csv.DictReader(file) if row["metric"] == "f1"]


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A study that was run until one of its jobs failed."""
    tree = copy_of_tree(tmp_path_factory.mktemp("so_far") / "tree")
    shutil.rmtree(tree / "config")
    away = {"kind": "encoder", "hub": "nobody/nothing", "revision": "0" * 40}
    write_config(
        tree / "config",
        recipe=recipe,
        bases=lambda bases: bases.update(away=away),
        task=lambda task: task.update(splits=SPLITS),
        scale=lambda scale: scale["bases"].update(away={}),
    )
    (tree / "config/config.yaml").write_text("study: test\n")
    (tree / "posts/rain").mkdir(parents=True)
    for split in SPLITS:
        with (tree / f"posts/rain/{split}.csv").open("w", newline="") as file:
            lines = csv.writer(file)
            lines.writerow(COLUMNS)
            for i in range(24):
                text = f"{split} {' '.join(WORDS[(i * k) % 8] for k in (1, 3, 5))} {i}"
                lines.writerow([f"{split}{i}", text, i % 2])
    done = snakemake(tree, "--keep-going")
    assert done.returncode != 0 and not (tree / "results/test/report.html").exists()
    return tree


def test_what_is_there_is_scored_and_the_rest_is_named_with_its_reason(tree):
    before = {path for path in (tree / "results").rglob("*") if path.is_file()}
    done = snakemake(tree, "report_so_far")
    assert done.returncode == 0, done.stdout + done.stderr
    new = {path for path in (tree / "results").rglob("*") if path.is_file()} - before
    assert all("so_far" in path.parts for path in new), "something else was run"
    predictors = {row["predictor"] for row in rows(tree)}
    assert predictors == {f"{name}@seed={seed}" for name in ("one", "two") for seed in (1, 2)}
    verdict = (tree / "results/test/so_far/verdict.txt").read_text()
    assert verdict.startswith("Not finished: ") and verdict.rstrip() in done.stdout
    page = (tree / "results/test/so_far/report.html").read_text()
    assert "1 failed" in page and "work/base/log/away.log" in page
    assert "waits for base away, which failed" in page
    text = (tree / "results/test/so_far/scores.txt").read_text()
    assert text.startswith("Not finished: ") and "failed: base away" in text
    again = snakemake(tree, "report_so_far")
    assert "Nothing to be done" in again.stdout + again.stderr


def test_it_can_be_made_while_the_study_is_running(tree):
    with hold_lock(tree / "work/test/run"):
        refused = snakemake(tree)
        done = snakemake(tree, "report_so_far", "--nolock", "--forceall")
    assert "another run of study test" in refused.stdout + refused.stderr
    assert done.returncode == 0, done.stdout + done.stderr


def test_results_of_an_earlier_setting_are_not_scored(tree, tmp_path):
    tree = shutil.copytree(tree, tmp_path / "tree", symlinks=True)
    file = tree / "config/recipes/small.yaml"
    content = yaml.safe_load(file.read_text())
    content["models"]["two"]["c"] = 1.0
    file.write_text(yaml.safe_dump(content))
    done = snakemake(tree, "report_so_far")
    assert done.returncode == 0, done.stdout + done.stderr
    assert {row["predictor"] for row in rows(tree)} == {"one@seed=1", "one@seed=2"}
    page = (tree / "results/test/so_far/report.html").read_text()
    assert "made with an earlier setting" in page
    assert not (tree / "results/test/report.html").exists()


def test_a_study_of_which_nothing_has_run_has_a_report_without_scores(tree, tmp_path):
    shutil.copytree(tree, tmp_path / "tree", symlinks=True)
    tree = tmp_path / "tree"
    shutil.rmtree(tree / "results")
    shutil.rmtree(tree / "work")
    done = snakemake(tree, "report_so_far")
    assert done.returncode == 0, done.stdout + done.stderr
    assert rows(tree) == []
    assert "not made yet" in (tree / "results/test/so_far/report.html").read_text()
