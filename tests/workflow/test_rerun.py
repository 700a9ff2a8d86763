"""Only what changed reruns: one edit at a time on a finished demo, and only the jobs it may cost.

Each row compares the plan of Snakemake with the jobs expected, on a demo whose outputs are empty
files but whose jobs are finished for Snakemake. test_taken_back.py runs three of the edits on a
real one.
"""

import shutil
from functools import partial

import pytest
import yaml
from edits import (
    RECIPE,
    augmentation,
    both,
    cloned_again,
    code_reworded,
    disorders_on_dev_alone,
    idle_cleaning_step,
    jobs_in,
    keys_reordered,
    losses,
    metrics,
    node_edit,
    one_post_in_the_pool,
    one_text_of_task_5,
    raised_version,
    second_recipe,
    second_seed_of_ages_expert,
    study_in,
    template,
    times_shuffled,
    touched,
    unedited,
    voting,
    yaml_edit,
)
from finished import finish
from jobs import downstream, job_graph, planned
from tree import ROOT, copy_of_tree, snakemake

EIGHT_GPUS = {
    verb: {"nodes": 2, "gpus": 8, "minutes": 600} for verb in ("pretrain", "finetune", "predict")
}

# -- rows: an edit, and what it costs
# -----------------------------------------------------------------

# Nothing reruns after: (edit, arguments of snakemake).
NOTHING = {
    "comments, docstrings and layout of code": (code_reworded, ()),
    "order of keys in the recipe": (partial(keys_reordered, "config/recipes/*.yaml"), ()),
    "order of keys in the scale": (partial(keys_reordered, "config/scales/*.yaml"), ()),
    "order of keys in the tasks": (partial(keys_reordered, "config/tasks/*.yaml"), ()),
    "order of keys in study, bases and config": (
        both(
            partial(keys_reordered, "config/studies/*.yaml"),
            partial(keys_reordered, "config/*.yaml"),
        ),
        (),
    ),
    "a touch of every file": (touched, ()),
    "results copied with shuffled times": (times_shuffled, ()),
    "a new clone over the same results": (cloned_again, ()),
    "other GPUs for finetune": (unedited, ("--set-resources", "finetune:gpu=4")),
    "other GPUs for all": (unedited, ("--default-resources", "gpu=2")),
    "other GPUs in the scale": (
        yaml_edit(
            "scales/demo.yaml",
            lambda scale: scale["bases"]["qwen-72b-chat"].update(machine=EIGHT_GPUS),
        ),
        (),
    ),
    "sent to a cluster": (unedited, ("--profile", "slurm", "--config", "study=demo")),
    "one core": (unedited, ("--cores", "1")),
    "many cores": (unedited, ("--cores", "64")),
    "code of losses, VERSION as it was": (losses, ()),
}

# Run for real, one edit after the other: (edits, what becomes of a training and its prediction
# after each).
ONE_AFTER_ANOTHER = {
    "lr A, then B, then A again": (
        [node_edit("models", "ages-plain", lr=rate) for rate in (1.0e-2, 2.0e-2, 1.0e-2)],
        ["made", "made", "restored"],
    ),
}

SLOW = (
    "sent to a cluster",
)  # it needs Snakemake's plugin for SLURM, which `make test` does without

# The jobs, one by one. The recipe is ctyun where no other is named.
JOB_BY_JOB = {
    "learning rate of outdoors-expert": (
        node_edit("models", "outdoors-expert", lr=2.0e-2),
        """
        finetune  outdoors-expert@seed=1
        predict   outdoors-expert@seed=1  scored
        score
        compare
        report
        """,
    ),
    "loss of ages-expert": (
        node_edit("models", "ages-expert", class_weights="balanced"),
        """
        finetune  ages-expert@seed=1
        predict   ages-expert@seed=1       scored
        vote      ages-vote                scored
        finetune  disorders-expert@seed=1
        predict   disorders-expert@seed=1  scored
        score
        compare
        report
        """,
    ),
    "a second seed of ages-expert": (
        both(
            yaml_edit(RECIPE, second_seed_of_ages_expert),
            yaml_edit("studies/demo.yaml", lambda study: study.update(seeds=2)),
        ),
        """
        finetune  ages-expert@seed=2
        predict   ages-expert@seed=2  scored
        vote      ages-vote           scored
        score
        compare
        report
        """,
    ),
    "rule of ages-vote": (
        node_edit("predictors", "ages-vote", rule="soft"),
        """
        vote  ages-vote  scored
        score
        compare
        report
        """,
    ),
    "a further split to score the teachers on": (
        yaml_edit(
            RECIPE, lambda recipe: recipe["score"].update(qwen=["ages/test"], qwen15=["ages/test"])
        ),
        """
        predict  qwen    scored
        predict  qwen15  scored
        score
        compare
        report
        """,
    ),
    "a split less to score the disorders on": (
        yaml_edit(RECIPE, disorders_on_dev_alone),
        """
        predict  disorders-floor          scored
        predict  disorders-plain@seed=1   scored
        predict  disorders-read@seed=1    scored
        predict  disorders-expert@seed=1  scored
        score
        compare
        report
        """,
    ),
    "a second recipe in the study": (
        second_recipe,
        """
        small: finetune  plain@seed=1
        small: predict   plain@seed=1  scored
        small: score
        small: compare
        report
        """,
    ),
    "code of voting": (
        voting,
        """
        vote  ages-vote  scored
        score
        compare
        report
        """,
    ),
    "code of metrics": (
        metrics,
        """
        score
        compare
        report
        """,
    ),
    "template of the report": (
        template,
        """
        report
        """,
    ),
}

# The jobs where the edit bites, and all that follows from them.
AND_WHAT_FOLLOWS = {
    "epochs of ages-expert": (
        node_edit("models", "ages-expert", epochs=9),
        """
        finetune  ages-expert@seed=1
        """,
    ),
    "prompt of task 6": (
        yaml_edit(
            "tasks/smm4h24-task6.yaml", lambda task: task.update(prompt="Age? {text}\nAnswer:")
        ),
        """
        finetune  qwen
        finetune  ages-plain@seed=1
        finetune  ages-read@seed=1
        finetune  ages-expert@seed=1
        finetune  ages-confident@seed=1
        finetune  ages-drawn@seed=1
        """,
    ),
    "text of one post of task 5": (one_text_of_task_5, "clean smm4h24-task5"),
    "a post more in the pool": (one_post_in_the_pool, "clean smm4h24-task6"),
    "a cleaning step that alters no post": (idle_cleaning_step, "clean smm4h24-task6"),
    "code of augmentation": (
        augmentation,
        """
        augment  exchanged
        augment  doubled
        augment  filled
        augment  repeated
        """,
    ),
    "code of losses, VERSION raised": (both(losses, raised_version), "finetune *"),
}


def rows(table):
    return [
        pytest.param(*table[name], id=name, marks=[pytest.mark.slow] if name in SLOW else [])
        for name in table
    ]


@pytest.fixture(scope="module")
def stood_in(tmp_path_factory):
    """The study demo with made-up posts, and everything else as if it had run.

    A plan depends on what Snakemake has recorded about a job.
    """
    folder = copy_of_tree(tmp_path_factory.mktemp("stood-in") / "tree")
    done = snakemake(folder, "--until", "demo")
    assert done.returncode == 0, done.stdout + done.stderr
    return finish(folder)


@pytest.fixture
def tree(stood_in, tmp_path):
    """A copy of the study as if it had run, times and all, to edit."""
    return shutil.copytree(stood_in, tmp_path / "tree", symlinks=True)


# -- what is planned
# ----------------------------------------------------------------------------------


def test_the_plan_from_nothing_is_the_whole_graph(tmp_path):
    """The two readings of the graph agree, Snakemake's and that of tests/jobs.py."""
    fresh = copy_of_tree(tmp_path)
    assert planned(fresh) == job_graph(study_in(fresh)).keys()


@pytest.mark.parametrize("edit, arguments", rows(NOTHING))
def test_nothing_reruns_after(tree, edit, arguments):
    edit(tree)
    assert planned(tree, *arguments) == set()


@pytest.mark.parametrize("edit, jobs", rows(JOB_BY_JOB))
def test_these_jobs_rerun_after(tree, edit, jobs):
    edit(tree)
    assert planned(tree) == jobs_in(jobs, study_in(tree))


@pytest.mark.parametrize("edit, jobs", rows(AND_WHAT_FOLLOWS))
def test_these_jobs_and_what_follows_rerun_after(tree, edit, jobs):
    edit(tree)
    study = study_in(tree)
    assert planned(tree) == downstream(study, jobs_in(jobs, study))


@pytest.mark.slow
@pytest.mark.parametrize("edits, expected", ONE_AFTER_ANOTHER.values(), ids=ONE_AFTER_ANOTHER)
def test_an_earlier_setting_returns_without_training(tmp_path, forked_python, edits, expected):
    tree, node = copy_of_tree(tmp_path), "ages-plain@seed=1"
    target = tree / f"results/demo/ctyun/predict/{node}/scored.parquet"
    logs = {"finetune": f"finetune/{node}.log", "predict": f"predict/{node}/scored.log"}
    found, predictions = {verb: [] for verb in logs}, []
    for edit in edits:
        edit(tree)
        done = snakemake(tree, str(target.relative_to(tree)), python=forked_python)
        assert done.returncode == 0, done.stdout + done.stderr
        for verb, log in logs.items():
            told = (tree / "work/demo/log/ctyun" / log).read_text()
            found[verb].append("restored" if "restored" in told else "made")
        predictions.append(target.read_bytes())
    assert found == {"finetune": expected, "predict": expected}
    assert predictions[0] == predictions[2] != predictions[1]


def test_files_are_compared_by_content_whatever_their_size():
    """The demo's files are below the size from which Snakemake compares times alone.

    Real files are above it.
    """
    profile = yaml.safe_load((ROOT / "profiles/default/config.yaml").read_text())
    assert profile["max-checksum-file-size"] >= 10**11


def test_what_follows_leaves_other_tasks_alone(stood_in):
    """Rows of the table that `downstream` should confirm, and what must not be in them."""
    study = study_in(stood_in)

    def follow(text):
        return {job.node.partition("@")[0] for job in downstream(study, jobs_in(text, study))}

    after_task_5 = follow("clean smm4h24-task5")
    assert {
        "disorders-floor",
        "disorders-plain",
        "disorders-read",
        "disorders-expert",
    } <= after_task_5
    # disorders-expert stands on posts of ages, so the audit of ages reads what is scored here.
    assert {"ages-expert", "qwen", "reader"} <= after_task_5
    assert not [name for name in after_task_5 if name.startswith("outdoors")]
    after_task_3 = follow("clean smm4h24-task3")
    assert "outdoors-plain" in after_task_3
    assert not [name for name in after_task_3 if name.startswith(("ages", "disorders", "reader"))]
    after_prompt = follow(AND_WHAT_FOLLOWS["prompt of task 6"][1])
    assert {"agreed", "drawn", "ages-vote", "disorders-expert"} <= after_prompt
    assert not after_prompt & {
        "qwen15",
        "reader",
        "ages-floor",
        "disorders-plain",
        "disorders-read",
        "filled",
    }


def test_changed_code_under_an_old_version_is_told_in_one_line(tree):
    losses(tree)
    done = snakemake(tree, "-n")
    assert done.returncode == 0
    told = [line for line in (done.stdout + done.stderr).splitlines() if "VERSION" in line]
    assert len(told) == 1 and "finetune and pretrain changed" in told[0]
