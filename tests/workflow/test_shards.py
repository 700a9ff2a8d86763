"""Shards of predictions: the bytes of one job, a lost one alone is done again, another number
reruns nothing.

The models are linear, to be quick; tests/cli/test_predict.py holds shards of the others to the
bytes of one job.
"""

import json
import os
import re
import shutil

import pytest
import yaml
from tree import ROOT, copy_of_tree, result_bytes, snakemake

pytestmark = pytest.mark.slow

FILE = "predict/{teacher}/teaching"
TEACHERS = ("one", "two")
WORK, RESULTS = "work/demo/small", "results/demo/small"


def small(recipe):
    """Two teachers label the pool for a third model."""
    posts = {"data": ["ages/train"]}
    return {
        "title": "A small system",
        "tasks": {"ages": "smm4h24-task6"},
        "defaults": {verb: recipe["defaults"][verb] for verb in ("finetune", "label")},
        "datasets": {
            "agreed": {"label": "ages/unlabeled", "teachers": [*TEACHERS], "keep": "agreement"}
        },
        "models": {
            "one": {"finetune": "linear", "seed": 11, **posts},
            "two": {"finetune": "linear", "seed": 12, "ngrams": [1, 1], **posts},
            "plain": {"finetune": "linear", "seed": 1, "data": ["ages/train", "agreed"]},
        },
        "score": {"plain": ["ages/dev"]},
    }


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """A copy of the tree whose study demo is small; nothing of it is run yet."""
    folder = copy_of_tree(tmp_path_factory.mktemp("fresh"))
    recipe = yaml.safe_load((ROOT / "config/recipes/ctyun.yaml").read_text())
    (folder / "config/recipes/small.yaml").write_text(yaml.safe_dump(small(recipe)))
    posts = {"train": 60, "dev": 40, "test": 10, "decoys": 5, "unlabeled": 200}
    study = {"title": "Small", "recipes": ["small"], "scale": "demo", "seeds": 1}
    study["made"] = {"seed": 1, "posts": {"smm4h24-task6": posts}}
    (folder / "config/studies/demo.yaml").write_text(yaml.safe_dump(study))
    return folder


def run(folder, *arguments, python=None):
    done = snakemake(folder, *arguments, python=python)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def finished(fresh, folder, shards, python):
    shutil.copytree(fresh, folder)
    run(folder, "--config", f"shards={shards}", python=python)
    return folder


@pytest.fixture(scope="module")
def whole(fresh, forked_python, tmp_path_factory):
    return finished(fresh, tmp_path_factory.mktemp("whole") / "tree", 1, forked_python)


@pytest.fixture(scope="module")
def sharded(fresh, forked_python, tmp_path_factory):
    return finished(fresh, tmp_path_factory.mktemp("sharded") / "tree", 4, forked_python)


@pytest.fixture
def again(sharded, tmp_path):
    """A copy of the study that ran with four shards, to lose files of."""
    return shutil.copytree(sharded, tmp_path / "tree", symlinks=True)


def files(folder):
    """{path below the study's results: bytes}, without the shards."""
    results = folder / "results/demo"
    found = {
        path.relative_to(results): path for path in sorted(results.rglob("*")) if path.is_file()
    }
    return {
        name: result_bytes(path)
        for name, path in found.items()
        if ".shards" not in str(name.parent)
    }


def times(folder):
    """{log: when it was written} of the jobs of the recipe."""
    logs = (folder / "work/demo/log").rglob("*.log")
    return {str(log.relative_to(folder / "work/demo/log")): log.stat().st_mtime_ns for log in logs}


def ran(folder, *arguments):
    """The logs of the jobs that a run executes."""
    before = times(folder)
    run(folder, *arguments)
    return {name for name, time in times(folder).items() if before.get(name) != time}


def nothing_to_do(folder, shards):
    return "Nothing to be done" in run(folder, "-n", "--config", f"shards={shards}")


def test_shards_give_the_bytes_of_one_job(whole, sharded):
    one, four = files(whole), files(sharded)
    assert one.keys() == four.keys() and len(one) > 15
    assert [str(name) for name in one if one[name] != four[name]] == []
    for teacher in TEACHERS:
        folder = sharded / "results/demo/small" / f"{FILE.format(teacher=teacher)}.shards"
        assert sorted(path.name for path in folder.glob("*.parquet")) == [
            f"{k}-of-4.parquet" for k in (1, 2, 3, 4)
        ]


def test_only_what_others_learn_from_has_shards(sharded):
    folders = {path.parent for path in (sharded / "results").rglob("*-of-4.parquet")}
    assert {str(path.relative_to(sharded / "results/demo/small")) for path in folders} == {
        f"{FILE.format(teacher=teacher)}.shards" for teacher in TEACHERS
    }


def test_shards_rerun_nothing_of_what_one_job_predicted(whole):
    assert nothing_to_do(whole, 4)


@pytest.mark.parametrize("shards", [1, 4, 9])
def test_another_number_of_shards_reruns_nothing(sharded, shards):
    assert nothing_to_do(sharded, shards)


def lose(folder, shard, teacher="one"):
    """Remove one shard of a teacher, its work, and the file joined from it."""
    for name in (FILE.format(teacher=teacher), f"{FILE.format(teacher=teacher)}.shards/{shard}"):
        (folder / RESULTS / f"{name}.parquet").unlink()
    keys = list((folder / WORK / f"predict/{teacher}").rglob("key.json"))
    gone = [
        path.parent for path in keys if json.loads(path.read_text()).get("shard") in (shard, None)
    ]
    assert len(gone) >= 4, "two datasets, a shard of each and the whole of each"
    for place in gone:
        shutil.rmtree(place)


def test_a_lost_shard_alone_is_done_again(again):
    before, result = files(again), f"results/demo/small/{FILE.format(teacher='one')}.parquet"
    lose(again, "3-of-4")
    assert not (again / result).exists()
    logs = ran(again, result, "--config", "shards=4")
    log = f"small/{FILE.format(teacher='one')}"
    assert logs == {f"{log}.log", f"{log}.shards/3-of-4.log"}
    assert "restored" not in (again / f"work/demo/log/{log}.shards/3-of-4.log").read_text()
    assert files(again) == before
    assert nothing_to_do(again, 4), "what follows reads the same bytes"


def test_a_run_that_ended_between_shards_goes_on_with_the_others(fresh, whole, tmp_path):
    """Two shards are made as targets, as if the run had ended there; then the rest is made."""
    folder = shutil.copytree(fresh, tmp_path / "tree")
    file, result = (
        f"{start}/{FILE.format(teacher='two')}" for start in ("small", "results/demo/small")
    )
    run(folder, *(f"{result}.shards/{k}-of-4.parquet" for k in (1, 3)), "--config", "shards=4")
    logs = ran(folder, f"{result}.parquet", "--config", "shards=4")
    assert logs == {f"{file}.log", *(f"{file}.shards/{k}-of-4.log" for k in (2, 4))}
    assert (folder / f"{result}.parquet").read_bytes() == (whole / f"{result}.parquet").read_bytes()


def test_files_copied_with_other_times_rerun_nothing(again):
    """The youngest file of the study becomes the oldest and the other way round."""
    paths = [path for path in again.rglob("*") if path.is_file() and ".snakemake" not in path.parts]
    stamps = sorted(path.stat().st_mtime_ns for path in paths)
    for path, stamp in zip(sorted(paths, key=lambda path: -path.stat().st_mtime_ns), stamps):
        os.utime(path, ns=(stamp, stamp))
    assert nothing_to_do(again, 4) and nothing_to_do(again, 1)


def test_a_changed_teacher_is_planned_with_all_of_its_shards_and_the_other_with_none(again):
    recipe = again / "config/recipes/small.yaml"
    content = yaml.safe_load(recipe.read_text())
    content["models"]["two"]["c"] = 5.0
    recipe.write_text(yaml.safe_dump(content))
    said = run(again, "-n", "--config", "shards=4")
    assert re.search("^predict +two +5  follows finetune two$", said, re.M), said
    assert not re.search("^predict +one", said, re.M)
