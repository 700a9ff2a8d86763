"""A planned job whose inputs are unchanged is restored from its key: three edits, really run."""

import json
import re
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest
from edits import idle_cleaning_step, one_post_in_the_pool, shuffling, study_in
from jobs import Job, job_graph, planned
from tree import snakemake

pytestmark = pytest.mark.slow


class Run(NamedTuple):
    """An edited copy of the demo, run again: plan, jobs and the earlier weights in work/."""

    tree: Path
    planned: set
    ran: set
    kept: dict


def log_of(tree, job):
    return (
        tree
        / "work/demo/log"
        / ("/".join(filter(None, (job.recipe, job.rule, job.node, job.file))) + ".log")
    )


def weights(folder):
    """The files of weights below a folder, as inode and time of writing.

    The inode alone is not enough, since that of a removed file is used again.
    """
    return {(path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.rglob("*.safetensors")}


def models(tree):
    """Every finetuned model as a target.

    `--until finetune` fails if one finetune is the base of another.
    """
    return [
        f"results/demo/{job.recipe}/finetune/{job.node}/model.json"
        for job in job_graph(study_in(tree))
        if job.rule == "finetune"
    ]


def run_again(demo, python, folder, edit, *arguments):
    """Edit a copy of the demo and run it.

    A job ran if it wrote its log; the copy holds no two names of one file.
    """
    tree = shutil.copytree(demo, folder / "tree", symlinks=True)
    edit(tree)
    plan = planned(tree, *arguments)
    kept = {path.parents[1]: weights(path.parent) for path in (tree / "work").rglob("key.json")}
    logs = {
        job: log_of(tree, job)
        for job in job_graph(study_in(tree))
        if job.rule not in ("demo", "base")
    }
    before = {job: log.stat().st_mtime_ns for job, log in logs.items()}
    done = snakemake(tree, *arguments, python=python)
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
    return Run(
        tree,
        plan,
        {job for job, log in logs.items() if log.stat().st_mtime_ns != before[job]},
        kept,
    )


def said_so(run, job):
    """Whether a job's log says that the result was restored."""
    assert job in run.ran, f"{job} did not run"
    return "restored" in log_of(run.tree, job).read_text()


def predicted_anew(run, job):
    """The datasets of which a job's log says that they were predicted and not restored."""
    assert job in run.ran, f"{job} did not run"
    return set(re.findall(r"posts of (\S+) predicted", log_of(run.tree, job).read_text()))


def trainings(run):
    """{node: "trained" or "restored"} of the trainings that ran.

    Taken back: the log says so, and the weights under results/ are the very files that lay in work/
    before. Trained: the log does not, the weights under results/ are new, and work/ holds both
    these and those of before.
    """
    found = {}
    for job in run.ran:
        if job.rule in ("pretrain", "finetune"):
            place = f"demo/{job.recipe}/{job.rule}/{job.node}"
            kept = run.kept.get(run.tree / "work" / place, set())
            now, held = weights(run.tree / "results" / place), weights(run.tree / "work" / place)
            if said_so(run, job):
                assert now == kept == held and kept, (
                    f"{job} says that it was restored, but its weights are new"
                )
            else:
                assert held == now | kept and not now & kept, (
                    f"{job} does not say that it was restored, but its weights are old or lost"
                )
            found[job.node.removesuffix("@seed=1")] = "restored" if said_so(run, job) else "trained"
    return found


def without_floors(found):
    return {node: how for node, how in found.items() if not node.endswith("-floor")}


@pytest.fixture(scope="module")
def post_more(demo, forked_python, tmp_path_factory):
    """The run after a post was added to the pool."""
    return run_again(demo, forked_python, tmp_path_factory.mktemp("post"), one_post_in_the_pool)


@pytest.fixture(scope="module")
def idle_step(demo, forked_python, tmp_path_factory):
    """The run, up to the trainings, after a cleaning step was switched on that alters no post of
    task 6.
    """
    return run_again(
        demo, forked_python, tmp_path_factory.mktemp("step"), idle_cleaning_step, *models(demo)
    )


@pytest.fixture(scope="module")
def other_shuffle(demo, forked_python, tmp_path_factory):
    """The run, up to the trainings, after shuffling.py was changed where posts are shuffled."""
    return run_again(
        demo, forked_python, tmp_path_factory.mktemp("shuffle"), shuffling, *models(demo)
    )


def test_what_is_planned_is_what_runs(post_more):
    assert post_more.ran == post_more.planned
    assert planned(post_more.tree) == set()


def test_a_post_more_in_the_pool_trains_its_readers_anew_and_no_teacher(post_more):
    assert without_floors(trainings(post_more)) == {
        "reader": "trained",
        "qwen": "restored",
        "qwen15": "restored",
        "ages-plain": "restored",
        "ages-read": "trained",
        "ages-expert": "trained",
        "ages-confident": "trained",
        "ages-drawn": "trained",
        "disorders-read": "trained",
        "disorders-expert": "trained",
    }


def test_a_post_more_in_the_pool_is_predicted_and_labelled_anew(post_more, demo):
    trees = (demo, post_more.tree)
    for teacher in ("qwen", "qwen15"):
        assert predicted_anew(post_more, Job("predict", "ctyun", teacher, "teaching")) == {
            "ages/unlabeled"
        }
    for node in ("agreed", "confident", "drawn"):
        assert Job("label", "ctyun", node) in post_more.ran
        pools = [
            json.loads((tree / f"results/demo/ctyun/label/{node}.json").read_text())["pool"]
            for tree in trees
        ]
        assert pools[1] == pools[0] + 1


def test_a_post_more_in_the_pool_leaves_other_predictions_as_they_are(post_more):
    plain = Job("predict", "ctyun", "ages-plain@seed=1", "scored")
    assert said_so(post_more, plain) and predicted_anew(post_more, plain) == set()


@pytest.mark.parametrize("run", ["post_more", "idle_step"])
def test_the_floor_is_taken_back(request, run):
    assert trainings(request.getfixturevalue(run))["ages-floor"] == "restored"


def test_a_cleaning_step_that_alters_no_post_trains_nothing(idle_step):
    assert idle_step.ran == idle_step.planned
    assert without_floors(trainings(idle_step)) == dict.fromkeys(
        [
            "reader",
            "qwen",
            "qwen15",
            "ages-plain",
            "ages-read",
            "ages-expert",
            "ages-confident",
            "ages-drawn",
        ]
        + ["disorders-read", "disorders-expert"],
        "restored",
    )


def test_a_cleaning_step_that_alters_no_post_predicts_nothing(idle_step):
    jobs = {job for job in idle_step.ran if job.rule == "predict"}
    assert len(jobs) == 2 and all(said_so(idle_step, job) for job in jobs)
    assert set().union(*(predicted_anew(idle_step, job) for job in jobs)) == set()


def test_another_way_to_shuffle_trains_only_on_what_is_shuffled(other_shuffle):
    remade = {job.node for job in other_shuffle.ran if job.rule == "augment"}
    assert remade == {"exchanged", "doubled", "filled", "repeated"}
    assert trainings(other_shuffle) == {
        "outdoors-exchanged": "trained",
        "outdoors-expert": "trained",
        "outdoors-doubled": "restored",
        "outdoors-repeated": "restored",
    }
