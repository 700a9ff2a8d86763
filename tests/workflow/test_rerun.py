"""Only what changed reruns: one edit at a time on a finished demo, and exactly the jobs that it may cost.

Most rows compare the plan of Snakemake with the jobs expected, on a demo whose outputs are empty files but whose jobs
Snakemake holds for finished. Three edits are really run on a real one, to see that what is planned but has unchanged
inputs is taken back from its key and not trained again.
"""

import ast
import csv
import json
import os
import random
import re
import shutil
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pytest
import yaml
from finished import finish
from jobs import Job, downstream, job_graph, planned
from tree import ROOT, copy_of_tree, snakemake

from postgrad.study.study import Study

RECIPE = "recipes/ctyun.yaml"
POSTS = Path("work/demo/posts")
EIGHT_GPUS = {verb: {"nodes": 2, "gpus": 8, "minutes": 600} for verb in ("pretrain", "finetune", "predict")}

# -- edits: functions of a tree -----------------------------------------------------------------------


def yaml_edit(name, change):
    """An edit of a file of config/, `change` a function of its content."""

    def edit(tree):
        file = tree / "config" / name
        content = yaml.safe_load(file.read_text())
        change(content)
        file.write_text(yaml.safe_dump(content, sort_keys=False))

    return edit


def node_edit(section, node, **options):
    return yaml_edit(RECIPE, lambda recipe: recipe[section][node].update(options))


def text_edit(name, old, new):
    """An edit of one place of a file of workflow/scripts."""

    def edit(tree):
        file = tree / "workflow/scripts" / name
        text = file.read_text()
        assert text.count(old) == 1, f"{name} changed: choose another place to edit"
        file.write_text(text.replace(old, new))

    return edit


def both(*edits):
    return lambda tree: [edit(tree) for edit in edits]


def raised_version(tree):
    file = tree / "workflow/scripts/finetune.py"
    text, count = re.subn(r"^VERSION = (\d+)", lambda m: f"VERSION = {int(m[1]) + 1}", file.read_text(), flags=re.M)
    assert count == 1
    file.write_text(text)


def code_reworded(tree):
    """Another layout, other comments and other docstrings in every Python file, and a comment in every rule file."""
    for file in (tree / "workflow").rglob("*.smk"):
        file.write_text(file.read_text() + "\n\n# A new comment.\n")
    for file in (tree / "workflow").rglob("*.py"):
        code = ast.parse(file.read_text())
        for node in ast.walk(code):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
                node.body[0].value.value = "Other words."
        file.write_text("# A new comment.\n\n\n" + ast.unparse(code) + "\n")


def reordered(value):
    """The same value with the keys of every mapping in the opposite order."""
    if isinstance(value, dict):
        return {key: reordered(value[key]) for key in reversed(value)}
    return [reordered(item) for item in value] if isinstance(value, list) else value


def keys_reordered(pattern, tree):
    files = list(tree.glob(pattern))
    assert files
    for file in files:
        file.write_text(yaml.safe_dump(reordered(yaml.safe_load(file.read_text())), sort_keys=False))


def every_file(tree):
    return [path for path in tree.rglob("*") if path.is_file() and ".snakemake" not in path.parts]


def touched(tree):
    for path in every_file(tree):
        os.utime(path)


def times_shuffled(tree):
    """Every file gets another file's time, as a careless copy leaves them."""
    files = every_file(tree)
    times = [path.stat().st_mtime_ns for path in files]
    random.Random(1).shuffle(times)
    for path, time in zip(files, times, strict=True):
        os.utime(path, ns=(time, time))


def cloned_again(tree):
    """A new checkout of the sources under the results that are there."""
    for path in tree.iterdir():
        if path.name not in ("results", "work", ".snakemake"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    copy_of_tree(tree)


def unedited(tree):
    pass


def one_text_of_task_5(tree):
    file = tree / POSTS / "smm4h24-task5/train.tsv"
    with file.open(newline="") as lines:
        rows = list(csv.reader(lines, delimiter="\t"))
    rows[1][rows[0].index("text")] += " indeed"
    with file.open("w", newline="") as lines:
        csv.writer(lines, delimiter="\t").writerows(rows)


def one_post_in_the_pool(tree):
    file = tree / POSTS / "smm4h24-task6/unlabeled.jsonl.zst"
    with pa.input_stream(str(file), compression="zstd") as stream:
        text = stream.read()
    post = {"id": "added", "title": "Hello", "selftext": "I turned 41 in May and still sing in the rain."}
    text += (json.dumps(post) + "\n").encode()
    file.write_bytes(pa.Codec("zstd").compress(text, asbytes=True))


def window_of_task_6(splits):
    splits["train"]["window"] = 10_000  # words; no post has as many


def second_seed_of_ages_expert(recipe):
    recipe["defaults"]["finetune"]["each"]["seed"] = [1]
    recipe["models"]["ages-expert"]["each"] = {"seed": [1, 2]}


def second_recipe(tree):
    finetune = yaml.safe_load((tree / "config" / RECIPE).read_text())["defaults"]["finetune"]
    small = {
        "title": "A second system",
        "tasks": {"ages": "smm4h24-task6"},
        "defaults": {"finetune": finetune},
        "models": {"plain": {"finetune": "qwen-72b-chat", "data": ["ages/train"]}},
        "score": {"plain": ["ages/dev"]},
    }
    (tree / "config/recipes/small.yaml").write_text(yaml.safe_dump(small))
    yaml_edit("studies/demo.yaml", lambda study: study["recipes"].append("small"))(tree)


voting = text_edit(
    "postgrad/predictors/voting.py", 'RULES = ("majority", "soft")', 'RULES = ("majority", "soft", "veto")'
)
metrics = text_edit(
    "postgrad/evaluation/metrics.py", "float(whole) if whole else 0.0", "float(whole) if whole else 0.5"
)
augmentation = text_edit("postgrad/augmentation/shuffling.py", "TRIES = 10", "TRIES = 11")
shuffling = text_edit("postgrad/augmentation/shuffling.py", "key=lambda _: rng.random()", "key=lambda _: -rng.random()")
losses = text_edit("postgrad/training/losses.py", "logits.float().transpose(1, 2)", "logits.double().transpose(1, 2)")
template = text_edit("postgrad/report/report.html.j2", "Every node was run.", "All nodes were run.")

# -- rows: an edit, and what it costs -----------------------------------------------------------------

# Nothing reruns after: (edit, arguments of snakemake).
NOTHING = {
    "comments, docstrings and layout of code": (code_reworded, ()),
    "order of keys in the recipe": (partial(keys_reordered, "config/recipes/*.yaml"), ()),
    "order of keys in the scale": (partial(keys_reordered, "config/scales/*.yaml"), ()),
    "order of keys in the tasks": (partial(keys_reordered, "config/tasks/*.yaml"), ()),
    "order of keys in study, bases and config": (
        both(partial(keys_reordered, "config/studies/*.yaml"), partial(keys_reordered, "config/*.yaml")),
        (),
    ),
    "a touch of every file": (touched, ()),
    "results copied with shuffled times": (times_shuffled, ()),
    "a new clone over the same results": (cloned_again, ()),
    "other GPUs for finetune": (unedited, ("--set-resources", "finetune:gpu=4")),
    "other GPUs for all": (unedited, ("--default-resources", "gpu=2")),
    "other GPUs in the scale": (
        yaml_edit("scales/demo.yaml", lambda scale: scale["bases"]["qwen-72b-chat"].update(machine=EIGHT_GPUS)),
        (),
    ),
    "sent to a cluster": (unedited, ("--profile", "slurm", "--config", "study=demo")),
    "one core": (unedited, ("--cores", "1")),
    "many cores": (unedited, ("--cores", "64")),
    "code of losses, VERSION as it was": (losses, ()),
}

SLOW = ("sent to a cluster",)  # it needs Snakemake's plugin for SLURM, which `make test` does without

# The jobs, one by one. The recipe is ctyun where no other is named.
JOB_BY_JOB = {
    "learning rate of outdoors-expert": (
        node_edit("models", "outdoors-expert", lr=2.0e-2),
        """
        finetune  outdoors-expert@seed=1
        predict   outdoors-expert@seed=1  outdoors/dev
        predict   outdoors-expert@seed=1  outdoors/test
        score
        compare
        report
        """,
    ),
    "loss of ages-expert": (
        node_edit("models", "ages-expert", class_weights="balanced"),
        """
        finetune  ages-expert@seed=1
        predict   ages-expert@seed=1       ages/dev
        predict   ages-expert@seed=1       ages/test
        vote      ages-vote                ages/dev
        vote      ages-vote                ages/test
        finetune  disorders-expert@seed=1
        predict   disorders-expert@seed=1  disorders/dev
        predict   disorders-expert@seed=1  disorders/test
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
        predict   ages-expert@seed=2  ages/dev
        predict   ages-expert@seed=2  ages/test
        vote      ages-vote           ages/dev
        vote      ages-vote           ages/test
        score
        compare
        report
        """,
    ),
    "rule of ages-vote": (
        node_edit("predictors", "ages-vote", rule="soft"),
        """
        vote  ages-vote  ages/dev
        vote  ages-vote  ages/test
        score
        compare
        report
        """,
    ),
    "a further split to score the teachers on": (
        yaml_edit(RECIPE, lambda recipe: recipe["score"].update(qwen=["ages/test"], qwen15=["ages/test"])),
        """
        predict  qwen    ages/test
        predict  qwen15  ages/test
        score
        compare
        report
        """,
    ),
    "a second recipe in the study": (
        second_recipe,
        """
        small: finetune  plain@seed=1
        small: predict   plain@seed=1  ages/dev
        small: score
        small: compare
        report
        """,
    ),
    "code of voting": (
        voting,
        """
        vote  ages-vote  ages/dev
        vote  ages-vote  ages/test
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
        yaml_edit("tasks/smm4h24-task6.yaml", lambda task: task.update(prompt="Age? {text}\nAnswer:")),
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
    "a cleaning step that alters no post": (
        yaml_edit("tasks/smm4h24-task6.yaml", lambda task: window_of_task_6(task["splits"])),
        "clean smm4h24-task6",
    ),
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
    return [pytest.param(*table[name], id=name, marks=[pytest.mark.slow] if name in SLOW else []) for name in table]


def jobs_in(text, study):
    """The jobs of a text, one a line: [recipe:] rule [node [dataset]]. A node * stands for all of the rule."""
    found = set()
    for line in filter(None, map(str.strip, text.splitlines())):
        recipe, _, rest = line.rpartition(":")
        rule, node, dataset, *_ = [*rest.split(), "", ""]
        if node == "*":
            found |= {job for job in job_graph(study) if job.rule == rule}
        else:
            alone = rule in ("clean", "audit", "report")
            found.add(Job(rule, "" if alone else recipe or "ctyun", node, dataset))
    return found


def study_in(tree):
    return Study({"study": "demo"}, root=tree / "config")


@pytest.fixture(scope="module")
def stood_in(tmp_path_factory):
    """The study demo with made-up posts, all else as if it had run: a plan reads what Snakemake remembers of a job."""
    folder = copy_of_tree(tmp_path_factory.mktemp("stood-in") / "tree")
    done = snakemake(folder, "--until", "demo")
    assert done.returncode == 0, done.stdout + done.stderr
    return finish(folder)


@pytest.fixture
def tree(stood_in, tmp_path):
    """A copy of the study as if it had run, times and all, to edit."""
    return shutil.copytree(stood_in, tmp_path / "tree", symlinks=True)


# -- what is planned ----------------------------------------------------------------------------------


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


def test_files_are_compared_by_content_whatever_their_size():
    """The demo's files are below the size at which Snakemake goes by time alone; real ones are not."""
    profile = yaml.safe_load((ROOT / "profiles/default/config.yaml").read_text())
    assert profile["max-checksum-file-size"] >= 10**11


def test_what_follows_leaves_other_tasks_alone(stood_in):
    """Rows of the table that `downstream` should bear out: what must not stand in them."""
    study = study_in(stood_in)

    def follow(text):
        return {job.node.partition("@")[0] for job in downstream(study, jobs_in(text, study))}

    after_task_5 = follow("clean smm4h24-task5")
    assert {"disorders-floor", "disorders-plain", "disorders-read", "disorders-expert"} <= after_task_5
    assert not [name for name in after_task_5 if name.startswith(("ages", "outdoors", "qwen", "reader"))]
    after_prompt = follow(AND_WHAT_FOLLOWS["prompt of task 6"][1])
    assert {"agreed", "drawn", "ages-vote", "disorders-expert"} <= after_prompt
    assert not after_prompt & {"qwen15", "reader", "ages-floor", "disorders-plain", "disorders-read", "filled"}


def test_changed_code_under_an_old_version_is_told_in_one_line(tree):
    losses(tree)
    done = snakemake(tree, "-n")
    assert done.returncode == 0
    told = [line for line in (done.stdout + done.stderr).splitlines() if "VERSION" in line]
    assert len(told) == 1 and "finetune and pretrain changed" in told[0]


# -- what is really run -------------------------------------------------------------------------------


class Run(NamedTuple):
    """A copy of the demo, edited and run again: its plan, the jobs that ran, and the weights that were in work/."""

    tree: Path
    planned: set
    ran: set
    kept: dict


def log_of(tree, job):
    return tree / "work/demo/log" / ("/".join(filter(None, (job.recipe, job.rule, job.node, job.dataset))) + ".log")


def weights(folder):
    """The files of weights below a folder: inode and time of writing, since numbers of removed files come back."""
    return {(path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.rglob("*.safetensors")}


def models(tree):
    """Every finetuned model as a target. `--until finetune` fails where one finetune stands on another."""
    return [
        f"results/demo/{job.recipe}/finetune/{job.node}/model.json"
        for job in job_graph(study_in(tree))
        if job.rule == "finetune"
    ]


def run_again(demo, folder, edit, *arguments):
    """Edit a copy of the demo and run it. A job ran if it wrote its log; the copy holds no two names of one file."""
    tree = shutil.copytree(demo, folder / "tree", symlinks=True)
    edit(tree)
    plan = planned(tree, *arguments)
    kept = {path.parent: weights(path.parent) for path in (tree / "work").rglob("key.json")}
    logs = {job: log_of(tree, job) for job in job_graph(study_in(tree)) if job.rule not in ("demo", "base")}
    before = {job: log.stat().st_mtime_ns for job, log in logs.items()}
    done = snakemake(tree, *arguments)
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
    return Run(tree, plan, {job for job, log in logs.items() if log.stat().st_mtime_ns != before[job]}, kept)


def said_so(run, job):
    """Whether a job's log says that the result was taken back."""
    assert job in run.ran, f"{job} did not run"
    return "taken back" in log_of(run.tree, job).read_text()


def trainings(run):
    """{node: "trained" or "taken back"} of the trainings that ran.

    Taken back: the log says so, and the weights under results/ are the very files that lay in work/ before. Trained:
    the log does not, and neither place holds a file of before.
    """
    found = {}
    for job in run.ran:
        if job.rule in ("pretrain", "finetune"):
            place = f"demo/{job.recipe}/{job.rule}/{job.node}"
            kept = run.kept.get(run.tree / "work" / place, set())
            now, held = weights(run.tree / "results" / place), weights(run.tree / "work" / place)
            if said_so(run, job):
                assert now == kept == held and kept, f"{job} says that it was taken back, but its weights are new"
            else:
                assert not (now | held) & kept, f"{job} does not say that it was taken back, but its weights are old"
            found[job.node.removesuffix("@seed=1")] = "taken back" if said_so(run, job) else "trained"
    return found


def without_floors(found):
    return {node: how for node, how in found.items() if not node.endswith("-floor")}


@pytest.fixture(scope="module")
def post_more(demo, tmp_path_factory):
    """The run after a post was added to the pool."""
    return run_again(demo, tmp_path_factory.mktemp("post"), one_post_in_the_pool)


@pytest.fixture(scope="module")
def idle_step(demo, tmp_path_factory):
    """The run, up to the trainings, after a cleaning step was switched on that alters no post of task 6."""
    edit = AND_WHAT_FOLLOWS["a cleaning step that alters no post"][0]
    return run_again(demo, tmp_path_factory.mktemp("step"), edit, *models(demo))


@pytest.fixture(scope="module")
def other_shuffle(demo, tmp_path_factory):
    """The run, up to the trainings, after shuffling.py was changed where posts are shuffled."""
    return run_again(demo, tmp_path_factory.mktemp("shuffle"), shuffling, *models(demo))


@pytest.mark.slow
def test_what_is_planned_is_what_runs(post_more):
    assert post_more.ran == post_more.planned
    assert planned(post_more.tree) == set()


@pytest.mark.slow
def test_a_post_more_in_the_pool_trains_its_readers_anew_and_no_teacher(post_more):
    assert without_floors(trainings(post_more)) == {
        "reader": "trained",
        "qwen": "taken back",
        "qwen15": "taken back",
        "ages-plain": "taken back",
        "ages-read": "trained",
        "ages-expert": "trained",
        "ages-confident": "trained",
        "ages-drawn": "trained",
        "disorders-read": "trained",
        "disorders-expert": "trained",
    }


@pytest.mark.slow
def test_a_post_more_in_the_pool_is_predicted_and_labelled_anew(post_more, demo):
    trees = (demo, post_more.tree)
    for teacher in ("qwen", "qwen15"):
        assert not said_so(post_more, Job("predict", "ctyun", teacher, "ages/unlabeled"))
    for node in ("agreed", "confident", "drawn"):
        assert Job("label", "ctyun", node) in post_more.ran
        pools = [json.loads((tree / f"results/demo/ctyun/label/{node}.json").read_text())["pool"] for tree in trees]
        assert pools[1] == pools[0] + 1


@pytest.mark.slow
def test_a_post_more_in_the_pool_leaves_other_predictions_as_they_are(post_more):
    same = {job for job in post_more.ran if job.rule == "predict" and job.node.startswith(("qwen", "ages-plain"))}
    same = {job for job in same if job.dataset != "ages/unlabeled"}
    assert len(same) == 4
    assert [job for job in same if not said_so(post_more, job)] == []


@pytest.mark.slow
@pytest.mark.parametrize("run", ["post_more", "idle_step"])
def test_the_floor_is_taken_back(request, run):
    assert trainings(request.getfixturevalue(run))["ages-floor"] == "taken back"


@pytest.mark.slow
def test_a_cleaning_step_that_alters_no_post_trains_nothing(idle_step):
    assert idle_step.ran == idle_step.planned
    assert without_floors(trainings(idle_step)) == dict.fromkeys(
        ["reader", "qwen", "qwen15", "ages-plain", "ages-read", "ages-expert", "ages-confident", "ages-drawn"]
        + ["disorders-read", "disorders-expert"],
        "taken back",
    )


@pytest.mark.slow
def test_a_cleaning_step_that_alters_no_post_predicts_nothing(idle_step):
    found = {job: said_so(idle_step, job) for job in idle_step.ran if job.rule == "predict"}
    assert len(found) == 4 and all(found.values())


@pytest.mark.slow
def test_another_way_to_shuffle_trains_only_on_what_is_shuffled(other_shuffle):
    remade = {job.node for job in other_shuffle.ran if job.rule == "augment"}
    assert remade == {"exchanged", "doubled", "filled", "repeated"}
    assert trainings(other_shuffle) == {
        "outdoors-exchanged": "trained",
        "outdoors-expert": "trained",
        "outdoors-doubled": "taken back",
        "outdoors-repeated": "taken back",
    }
