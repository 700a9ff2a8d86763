"""Real faults of a cluster: work continues from what was reached, and ends as if undisturbed.

A small study of six submissions. Each training meets a fault of a
job: its node is named after the fault, and the retries of the profile or SLURM's requeue repair it.
The main process meets the other faults, and a plain rerun repairs them.
tests/faulty/sitecustomize.py holds or kills a training at a given place; the cluster does the rest.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
import slurm_cluster as cluster
import yaml
from slurm_cluster import QUICK
from tree import ROOT, called, copy_of_tree, result_bytes, snakemake

from postgrad.study.paths import REPORT_FILES

sys.path.append(str(ROOT / "tests/faulty"))
from sitecustomize import KILLED

pytestmark = pytest.mark.slow

CONFIG = ("--config", "study=faults")
COMMAND = (*QUICK, *CONFIG)
LIMIT = 330  # seconds for one fault and the rerun after it
TINY = {
    "batch": 8,
    "lr": 2.0e-3,
    "schedule": "cosine",
    "warmup": 0.0,
    "weight_decay": 0.1,
    "epochs": 5,
    "max_length": 64,
    "epoch": "last",
    "loss": "cross-entropy",
    "class_weights": "none",
    "answers": "words",
    "frozen": [],
    "dropout": 0.1,
    "threads": 1,
    "attention": "eager",
    "precision": "fp32",
    "checkpoint_steps": 20,
    "seed": 1,
}
# Dropout makes the weights hang on the state of every random number generator that a checkpoint has
# to hold.
BASES = {
    "scancel": "tiny-encoder",
    "memory": "tiny-encoder",
    "early": "short",
    "too-long": "short",
    "preempted": "lone",
    "node-down": "lone",
    **dict.fromkeys(KILLED, "tiny-encoder"),
}
REPORT = ("report.html", *REPORT_FILES)
MEMORY = 2500  # megabytes; a training takes less than one thousand
MACHINE = {
    "tiny-encoder": {"mem_mb": MEMORY},
    "short": {"minutes": 3},
    "lone": {"gpus": cluster.GPUS, "ranks": 1},
}
PREDICT = {"threads": 1, "batch_tokens": 4096}
MADE = {"seed": 1, "posts": {"smm4h24-task5": {"train": 96, "dev": 40, "test": 40, "decoys": 10}}}
FILES = {
    "studies/faults": {
        "title": "Faults",
        "recipes": ["faults"],
        "scale": "faults",
        "seeds": 1,
        "made": MADE,
    },
    "scales/faults": {
        "bases": {
            base: {
                "model": "tiny-encoder",
                "predict": {"threads": 1, "batch_tokens": 4096},
                "machine": {"finetune": ask},
            }
            for base, ask in MACHINE.items()
        }
    },
    "recipes/faults": {
        "title": "Faults",
        "tasks": {"kids": "smm4h24-task5"},
        "defaults": {"finetune": TINY},
        "models": {
            node: {"finetune": base, "data": ["kids/train"]}
            for node, base in {"plain": "tiny-encoder", **BASES}.items()
        },
        "score": {"plain": ["kids/dev"]},
    },
}


def model(tree, node):
    return tree / "results/faults/faults/finetune" / node


def timing(tree, node):
    return json.loads((model(tree, node) / "timing.json").read_text())


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The study, run on this machine by a run that nobody disturbs."""
    tree = copy_of_tree(tmp_path_factory.mktemp("whole"))
    for name, content in FILES.items():
        (tree / "config" / f"{name}.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    with (tree / "config/bases.yaml").open("a") as bases:
        bases.write(
            "".join(f"\n{base}: {{kind: encoder, folder: /nowhere}}" for base in ("short", "lone"))
        )
    site = yaml.safe_load((tree / "slurm/site.yaml").read_text())
    site["cluster"] |= {"partition": "few", "gpu_partition": "spare"}
    (tree / "slurm/site.yaml").write_text(yaml.safe_dump(site))
    (tree / "met").mkdir()
    done = snakemake(tree, *CONFIG)
    assert done.returncode == 0, done.stdout + done.stderr
    return tree


def copied(whole, folder, *parts):
    """The tree as it was before these parts of results/faults were made.

    What Snakemake remembers comes along.
    """
    tree = shutil.copytree(whole, folder / "tree", symlinks=True)
    for path in [tree / "work/faults/faults", *(tree / "results/faults" / part for part in parts)]:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return tree


def heeding():
    """A shell makes its background processes ignore SIGINT, which children inherit."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Run:
    """`snakemake --profile slurm` in a tree.

    Its output is kept in a file. Only this process is ever signalled.
    """

    def __init__(self, tree, number, *targets):
        self.said = tree / f"said-{number}"
        command, options = called(tree, *targets, *COMMAND, path=[tree / "tests/faulty"])
        with self.said.open("w") as file:
            self.process = subprocess.Popen(
                command, **options, stdout=file, stderr=file, preexec_fn=heeding
            )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)  # its jobs go with it
        self.process.wait(60)

    def until(self, ready, seconds=LIMIT):
        """Wait until `ready()`; the run may not end before."""
        ends = time.monotonic() + seconds
        while not (found := ready()):
            assert self.process.poll() is None and time.monotonic() < ends, self.said.read_text()
            time.sleep(0.1)
        return found

    def ended(self, code=0, seconds=LIMIT):
        found = self.process.wait(seconds)
        assert (found == 0) == (code == 0), self.said.read_text()
        return self.said.read_text()


def sent(tree, rule=""):
    """All jobs that this tree has submitted, oldest first."""
    jobs = (job for job in cluster.jobs().values() if job.get("WorkDir") == str(tree))
    return sorted(
        (job for job in jobs if f"rule_{rule}" in job["Comment"]), key=lambda job: int(job["JobId"])
    )


def torn(tree, whole):
    """Files under final names that differ from those of the undisturbed run. There must be none."""
    found = []
    for folder, _, names in os.walk(tree / "results"):  # it does not mind what vanishes meanwhile
        for name in names:
            path = (Path(folder) / name).relative_to(tree)
            if not any(part.startswith(".") for part in path.parts):
                with suppress(FileNotFoundError):
                    if result_bytes(tree / path) != like(path, whole):
                        found.append(str(path))
    return found


def like(path, whole):
    """What a file has to hold: all nodes are trained as `plain` is, and differ in their names."""
    parts, node = list(path.parts), "plain"
    if parts[3:4] == ["finetune"]:
        node = parts[4].removesuffix(".spec.json")  # a model's folder, or the spec beside it
        parts[4] = parts[4].replace(node, "plain", 1)
    return result_bytes(whole.joinpath(*parts)).replace(b'"plain"', f'"{node}"'.encode())


def overlapping(tree):
    """Jobs for one output that ran at the same time. There must be none."""
    jobs = [
        job
        for job in sent(tree)
        if job["StartTime"] != "Unknown" and job["StartTime"] != job["EndTime"]
    ]
    pairs = (
        (one, two)
        for one in jobs
        for two in jobs
        if one["Comment"] == two["Comment"] and one != two
    )
    return [
        one["JobId"] for one, two in pairs if one["StartTime"] <= two["StartTime"] < one["EndTime"]
    ]


def complete(tree, whole):
    files = [path.relative_to(whole) for path in (whole / "results").rglob("*") if path.is_file()]
    assert len(files) > 12 and [str(file) for file in files if not (tree / file).is_file()] == []
    assert torn(tree, whole) == [] and overlapping(tree) == []


# -- faults of a job ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trainings(slurm, whole, tmp_path_factory):
    """(tree, thread) of one run whose eleven trainings meet a fault each, while it goes on."""
    tree = copied(
        whole,
        tmp_path_factory.mktemp("trainings"),
        "faults",
        *REPORT,
    )
    targets = [str(model(tree, node).relative_to(tree) / "model.json") for node in BASES]
    seen = {"torn": [], "first": {}, "log": {}}

    def battery():
        with ExitStack() as stack:
            run = stack.enter_context(Run(tree, 1, *targets))
            faults = {"scancel": scancelled, "preempted": preempted, "node-down": lost}
            while run.process.poll() is None:
                seen["torn"] += torn(tree, whole)
                for node in [node for node in faults if (tree / "met" / node).exists()]:
                    job = next(job for job in sent(tree) if job["Comment"].endswith(f"_{node}"))
                    faults.pop(node)(slurm, tree, job, stack)
                time.sleep(0.3)
            seen["said"], seen["code"] = run.said.read_text(), run.process.returncode
            with Run(tree, 2, *targets) as again:
                seen["again"], seen["code again"] = (
                    again.process.wait() or again.said.read_text(),
                    again.process.returncode,
                )

    thread = threading.Thread(target=battery)
    thread.start()
    yield tree, thread, seen
    thread.join()


def scancelled(slurm, tree, job, stack):
    subprocess.run(["scancel", job["JobId"]], check=True)


def preempted(slurm, tree, job, stack):
    """A job of a partition of higher priority wants this one's GPUs."""
    words = [
        "-p",
        "urgent",
        "-w",
        job["NodeList"],
        f"--gpus={cluster.GPUS}",
        "-o",
        "/dev/null",
        "--wrap",
        "sleep 3",
    ]
    subprocess.run(["sbatch", *words], check=True, capture_output=True)


def lost(slurm, tree, job, stack):
    """The node loses its power.

    Its slurmd and all of the job's processes are killed at once. It comes back later.
    """
    node = job["NodeList"]
    os.kill(int((slurm / f"slurmd-{node}.pid").read_text()), signal.SIGKILL)
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            own = f"slurmstepd: [{job['JobId']}." in (path / "cmdline").read_text()
            inside = f"SLURM_JOB_ID={job['JobId']}" in (path / "environ").read_text().split("\0")
            if own or (inside and Path(os.readlink(path / "cwd")) == tree):
                os.kill(int(path.name), signal.SIGKILL)
    cluster.wait(
        lambda: "DOWN" in cluster.told("scontrol", "show", "node", node), "node that is down", 120
    )
    stack.enter_context(cluster.daemon(slurm, cluster.slurmd(node)))


def healed(trainings, node):
    """(its jobs, timing.json) of a training that met its fault, once all have ended.

    A rerun submitted nothing.
    """
    tree, thread, seen = trainings
    thread.join()
    assert seen["code"] == 0, seen["said"]
    assert "Nothing to be done" in seen["again"], seen["again"]
    assert seen["torn"] == [] and overlapping(tree) == []
    assert (tree / "met" / node).exists(), "the fault never came"
    return sent(tree, f"finetune_wildcards_faults_faults_{node}"), json.loads(
        (model(tree, node) / "timing.json").read_text()
    )


def ends(jobs):
    return [job["JobState"] for job in jobs]


@pytest.mark.parametrize(
    "place, resumed",
    [
        ("before-checkpoint", None),
        ("after-checkpoint", "checkpoint-20"),
        ("in-checkpoint", "checkpoint-20"),
        ("in-model", "checkpoint-40"),
        ("after-model", None),
    ],
)
def test_a_training_is_killed(trainings, whole, place, resumed):
    jobs, ran = healed(trainings, place)
    assert ends(jobs) == ["FAILED", "COMPLETED"] and ran["resumed"] == resumed
    log = (trainings[0] / f"work/faults/log/faults/finetune/{place}.log").read_text()
    assert ("restored" in log) == (place == "after-model")


def test_a_job_is_cancelled_by_scancel(trainings):
    jobs, ran = healed(trainings, "scancel")
    assert ends(jobs) == ["CANCELLED", "COMPLETED"] and ran["resumed"]


def test_a_job_is_told_of_the_end_of_its_time_and_hands_itself_back(trainings):
    """The step at which it was told to stop, 40, and one more."""
    jobs, ran = healed(trainings, "early")
    assert ends(jobs) == ["FAILED", "COMPLETED"] and ran["resumed"] == "checkpoint-41"


def test_a_job_that_does_not_heed_the_signal_runs_out_of_time(trainings):
    jobs, ran = healed(trainings, "too-long")
    assert ends(jobs) == ["TIMEOUT", "COMPLETED"] and ran["resumed"] == "checkpoint-20"
    assert [job["TimeLimit"] for job in jobs] == ["00:03:00", "00:06:00"]


def test_a_job_runs_out_of_memory(trainings, slurm):
    jobs, ran = healed(trainings, "memory")
    logs = "".join(path.read_text() for path in slurm.glob("slurmd-*.log"))
    assert re.search(rf"StepId={jobs[0]['JobId']}\.\d+ exceeded memory limit", logs), ends(jobs)
    assert ends(jobs) == ["FAILED", "COMPLETED"] and ran["resumed"] == "checkpoint-20"
    assert [job["MinMemoryNode"] for job in jobs] == [f"{MEMORY}M", f"{2 * MEMORY}M"]


def test_a_job_is_preempted_and_comes_back(trainings, slurm):
    jobs, ran = healed(trainings, "preempted")
    assert ends(jobs) == ["COMPLETED"] and jobs[0]["Restarts"] == "1" and ran["resumed"]
    assert (
        f"preempted JobId={jobs[0]['JobId']} has been requeued"
        in (slurm / "slurmctld.log").read_text()
    )


def test_a_node_goes_down(trainings, slurm):
    jobs, ran = healed(trainings, "node-down")
    assert (
        ends(jobs) == ["COMPLETED"]
        and jobs[0]["Restarts"] == "1"
        and ran["resumed"] == "checkpoint-20"
    )
    assert "not responding, setting DOWN" in (slurm / "slurmctld.log").read_text()


# -- faults of the main process -------------------------------------------------------------------


@pytest.fixture
def tree(slurm, whole, tmp_path):
    """A tree before its first submission: posts and base are there."""
    return copied(whole, tmp_path, "clean", "audit", "faults", *REPORT)


def midway(run, tree):
    """The one training of a run that is held between its two checkpoints."""
    run.until((tree / "met/plain").exists)
    return sent(tree, "finetune")[0]


def go_on(tree):
    (tree / "met/plain.go").touch()


def test_interrupted_by_the_keyboard(tree, whole):
    """The job is cancelled and writes its checkpoint; the rerun waits until it has ended."""
    with Run(tree, 1) as run:
        midway(run, tree)
        run.process.send_signal(signal.SIGINT)
        run.ended(1, 60)
    with Run(tree, 2) as again:
        again.ended()
    assert (
        ends(sent(tree, "finetune")) == ["CANCELLED", "COMPLETED"]
        and timing(tree, "plain")["resumed"]
    )
    complete(tree, whole)


def test_terminated(tree, whole):
    """The run waits for the job and submits nothing more; the rerun continues after it."""
    with Run(tree, 1) as run:
        midway(run, tree)
        before = sent(tree)
        run.process.send_signal(signal.SIGTERM)
        run.until(lambda: "Will exit after" in run.said.read_text())
        go_on(tree)
        run.ended(1)
    assert len(sent(tree)) == len(before) and ends(sent(tree, "finetune")) == ["COMPLETED"]
    with Run(tree, 2) as again:
        again.ended()
    assert len(sent(tree)) == 6
    complete(tree, whole)


def test_killed_and_started_again_at_once(tree, whole):
    """The rerun says which job it waits for.

    A second rerun is refused, and the result of the job is restored.
    """
    with Run(tree, 1) as run:
        job = midway(run, tree)
        run.process.kill()
        run.process.wait()
    with Run(tree, 2) as again:
        again.until(
            lambda: (
                f"an earlier run left SLURM jobs {job['JobId']}; waiting" in again.said.read_text()
            )
        )
        with Run(tree, 3) as third:
            said = third.ended(1, 60)
        assert (
            f"another run of study faults, process {again.process.pid} on" in said
            and "Traceback" not in said
        )
        assert len(sent(tree, "finetune")) == 1
        go_on(tree)
        again.ended()
    assert ends(sent(tree, "finetune")) == ["COMPLETED", "COMPLETED"]
    assert "restored" in (tree / "work/faults/log/faults/finetune/plain.log").read_text()
    complete(tree, whole)
