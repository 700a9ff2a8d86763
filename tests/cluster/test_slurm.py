"""`snakemake --profile slurm`: the demo through sbatch on a real cluster, and study a800 to a
stand-in for sbatch.

The cluster's nodes and GPUs are make-believe, its slurmctld, slurmd, sbatch, srun and squeue are
not. The stand-in records what it is asked for, and makes the outputs of the whole study as empty
files: no job of a800 is run.
"""

import argparse
import csv
import json
import os
import re
import shlex
import shutil
import stat
import sys
from collections import Counter

import pandas as pd
import pytest
import slurm_cluster as cluster
import yaml
from made import kept
from tree import ROOT, copy_of_tree, snakemake

from postgrad.graph import queries
from postgrad.runtime import launcher
from postgrad.study.study import Study
from postgrad.training.trainer import FIRST_STEPS

pytestmark = pytest.mark.slow

DEMO = (*cluster.QUICK, "--config", "study=demo")
GOLDEN = ROOT / "tests/golden/sbatch-a800.txt"
# What differs from run to run, and the command itself.
OWN = ("--job-name", "--output", "--comment", "-D")


def submitted(run):
    """(what `run` returned, the jobs that SLURM was sent meanwhile)."""
    before = set(cluster.jobs())
    done = run()
    return done, [job for id, job in cluster.jobs().items() if id not in before]


# Trained by two ranks on each of two nodes, under ZeRO-3.
SHARED = ("reader", "qwen", "qwen15")
TWO_BY_TWO = {"nodes": 2, "ranks": 2, "zero": 3, "cpus": 2}


def share_out(config):
    """Make SHARED ask for several ranks, and no other node.

    `qwen` gets another base name, by which it is recognised.
    """
    recipe, scale = config / "recipes/ctyun.yaml", config / "scales/demo.yaml"
    content = yaml.safe_load(scale.read_text())
    bases = content["bases"]
    bases["qwen2-72b-instruct"] = {**bases["qwen-72b-chat"], "machine": {"finetune": TWO_BY_TWO}}
    bases["qwen-72b-chat"]["machine"] = {"pretrain": TWO_BY_TWO}
    bases["qwen1.5-72b-chat"]["machine"] = {"finetune": TWO_BY_TWO}
    scale.write_text(yaml.safe_dump(content, sort_keys=False))
    content = yaml.safe_load(recipe.read_text())
    content["models"]["qwen"]["finetune"] = "qwen2-72b-instruct"
    recipe.write_text(yaml.safe_dump(content, sort_keys=False))


@pytest.fixture(scope="module")
def sent(slurm, tmp_path_factory):
    """The demo, run through sbatch, SHARED on two nodes.

    (its folder, the jobs). Tests leave the folder as it is.
    """
    folder = copy_of_tree(tmp_path_factory.mktemp("sent"))
    share_out(folder / "config")
    done, jobs = submitted(lambda: snakemake(folder, *DEMO))
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, jobs


def names(jobs):
    """{rule or group: how often}."""
    return Counter(name(job["Comment"]) for job in jobs)


def name(comment):
    """finetune of rule_finetune_wildcards_demo_ctyun_qwen; a group is called a rule as well."""
    return re.match("rule_([a-z-]+)", comment)[1]


@pytest.fixture(scope="module")
def downstream(sent):
    """Ids of the nodes that are SHARED, or made from one that is."""
    nodes = Study({"study": "demo"}, root=sent[0] / "config").graphs["ctyun"].nodes
    found = set()
    for id, node in nodes.items():  # in the order in which data flows
        if node.name in SHARED or found & {node.base, *node.sources, *node.members}:
            found.add(id)
    return found


def node_of(path):
    """The node of a file results/demo/ctyun/<verb>/<node>…; None for clean and audit."""
    parts = path.parts[2:]
    return parts[2].removesuffix(".parquet") if parts[0] == "ctyun" else None


def test_nodes_without_several_ranks_behind_them_have_the_bytes_of_a_local_run(
    demo, sent, downstream
):
    files = sorted(path.relative_to(demo) for path in (demo / "results/demo").rglob("*.parquet"))
    files = [file for file in files if file.name != "outcomes.parquet"]  # of all predictors
    alike = [file for file in files if node_of(file) not in downstream]
    assert len(alike) >= 40 and len(files) - len(alike) > 10
    assert [
        str(file) for file in alike if (demo / file).read_bytes() != (sent[0] / file).read_bytes()
    ] == []


def losses(folder, node):
    """Of the first steps of a node's training, one by one."""
    text = kept(folder / "work/demo/ctyun" / node, "progress.jsonl").read_text()
    lines = [json.loads(line) for line in text.splitlines()][:FIRST_STEPS]
    assert [line["step"] for line in lines] == list(range(1, FIRST_STEPS + 1))
    return [line["loss"] for line in lines]


@pytest.fixture(scope="module")
def other_posts(demo, sent, downstream):
    """Ids of the nodes that learn from other posts than in a local run.

    Teachers of several ranks differ in the last digits of a probability, so a few posts on the
    edge of agreement, or of confidence, are chosen in one run and not in the other.
    """
    nodes = Study({"study": "demo"}, root=sent[0] / "config").graphs["ctyun"].nodes
    found = set()
    for id, node in nodes.items():
        if node.verb == "label":
            here, there = (
                pd.read_parquet(folder / f"results/demo/ctyun/label/{id}.parquet")
                for folder in (demo, sent[0])
            )
            same = len(
                {*zip(here["post_id"], here["label"])} & {*zip(there["post_id"], there["label"])}
            )
            assert same >= 0.9 * max(len(here), len(there)), id
            found |= {id} if same < max(len(here), len(there)) else set()
        elif found & {node.base, *node.sources, *node.members}:
            found.add(id)
    return found


def test_two_ranks_on_two_nodes_learn_what_one_process_learns(demo, sent, downstream, other_posts):
    folder, jobs = sent
    asked = {id for id in downstream if id.partition("@")[0] in SHARED}
    wide = [job for job in jobs if job["NumNodes"] == "2"]
    assert len(wide) == len(asked) == 3 and {name(job["Comment"]) for job in wide} == {
        "pretrain",
        "finetune",
    }
    compared = set()
    for model in sorted((folder / "results/demo/ctyun").glob("*/*/timing.json")):
        id, verb = model.parent.name, model.parts[-3]
        timing = json.loads(model.read_text())
        if id not in downstream or "world" not in timing:
            continue
        assert (timing["world"], timing["zero"]) == ((4, 3) if id in asked else (1, 0)), id
        if id not in other_posts:
            compared.add(id)
            assert losses(folder, f"{verb}/{id}") == pytest.approx(
                losses(demo, f"{verb}/{id}"), abs=1e-3
            ), id
    assert asked < compared


def test_scores_behind_several_ranks_lie_beside_those_of_a_local_run(
    demo, sent, downstream, other_posts
):
    rows = {}
    for where in (demo, sent[0]):
        with (where / "results/demo/scores.csv").open(newline="") as file:
            rows[where] = list(csv.DictReader(file))
    differing = set()
    assert len(rows[demo]) == len(rows[sent[0]]) > 50
    for here, there in zip(rows[demo], rows[sent[0]]):
        assert {**here, "value": 0} == {**there, "value": 0}
        assert float(here["value"] or "nan") == pytest.approx(
            float(there["value"] or "nan"),
            abs=0.15 if here["predictor"] in other_posts else 0.05,
            nan_ok=True,
        )
        differing |= {here["predictor"]} if here["value"] != there["value"] else set()
    assert differing <= downstream


def test_each_job_is_one_submission_and_cheap_ones_share_theirs(sent):
    """Every job is submitted at its first attempt.

    Demo and base, which may need the internet, run on the login node.
    """
    folder, jobs = sent
    graph = Study({"study": "demo"}, root=folder / "config").graphs["ctyun"]
    nodes = Counter(node.verb for node in graph.nodes.values())
    found = names(jobs)
    assert {job["JobState"] for job in jobs} == {"COMPLETED"}
    files = Counter(graph.nodes[id].verb for id, _ in queries.predicted_datasets(graph))
    assert found.pop("predict") == files["finetune"] >= nodes["finetune"]
    assert found == {**{verb: nodes[verb] for verb in ("augment", "label", "pretrain", "finetune")},
                     **{verb: 1 for verb, asked in graph.of_recipe.items() if asked},
                     "clean": 3, "audit": 3, "ctyun-scores": 1, "report": 1}  # fmt: skip


def test_a_finished_study_submits_nothing(sent):
    done, jobs = submitted(lambda: snakemake(sent[0], *DEMO))
    assert done.returncode == 0 and "Nothing to be done" in done.stdout + done.stderr
    assert jobs == []


def test_a_learning_rate_resubmits_its_node_and_what_follows_and_other_gpus_nothing(sent, tmp_path):
    """Every network of the scale asks for a whole node; only the one that trains anew gets it."""
    folder = tmp_path / "tree"
    shutil.copytree(sent[0], folder, symlinks=True)
    recipe, scale = folder / "config/recipes/ctyun.yaml", folder / "config/scales/demo.yaml"
    content = yaml.safe_load(recipe.read_text())
    content["models"]["outdoors-expert"]["lr"] = 2.0e-3
    recipe.write_text(yaml.safe_dump(content, sort_keys=False))
    content = yaml.safe_load(scale.read_text())
    content["bases"]["qwen-72b-chat"]["machine"]["finetune"] = {
        "gpus": cluster.GPUS,
        "cpus": 8,
        "ranks": 1,
    }
    scale.write_text(yaml.safe_dump(content, sort_keys=False))
    site = folder / "slurm/site.yaml"
    site.write_text(site.read_text().replace("gpu_partition: null", "gpu_partition: gpu "))
    done, jobs = submitted(lambda: snakemake(folder, *DEMO))
    assert done.returncode == 0, done.stdout + done.stderr
    assert names(jobs) == {"finetune": 1, "predict": 1, "ctyun-scores": 1, "report": 1}
    assert all(
        "outdoors-expert@seed=1" in job["Comment"] for job in jobs if "finetune" in job["Comment"]
    )
    asked = {name(job["Comment"]): job.get("TresPerJob", "") for job in jobs}
    assert "gpu:a800:8" in asked["finetune"] and not asked["predict"]


# -- a stand-in for sbatch ------------------------------------------------------------------------

SBATCH = """#!{python}
import json, os, sys
from pathlib import Path

folder = Path({folder!r})
with (folder / "calls").open("a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
    number = calls.tell()
for output in map(Path, (folder / "outputs").read_text().splitlines()):
    if not output.exists():
        output.parent.mkdir(parents=True, exist_ok=True)
        output.touch()
with (folder / "queue").open("a") as queue:
    queue.write(f"{{number}}|COMPLETED\\n")
print(number)
"""
OTHERS = {
    "squeue": "cat '{folder}/queue' 2> /dev/null || true",
    "scontrol": "printf 'AccountingStorageType = none\\nMinJobAge = 300 sec\\n"
    "MaxArraySize = 1001\\n'",
    "sinfo": "echo 'main*'",
    "sacct": "exit 1",
    "scancel": "true",
}


def write_stand_ins(folder):
    """sbatch and what the plugin asks beside it, in a folder for the head of PATH.

    A number for an id is enough.
    """
    texts = {"sbatch": SBATCH.format(python=sys.executable, folder=str(folder))}
    texts |= {
        name: f"#!/bin/sh\n{line.replace('{folder}', str(folder))}\n"
        for name, line in OTHERS.items()
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755 | stat.S_IXUSR)


def asked_for(call):
    """(rule, what the call asks for) of one sbatch call."""
    words = dict(zip(call, [*call[1:], ""]))
    kept, skip = [], False
    for word in call:
        skip, own = word in OWN, skip
        if not (skip or own or word.startswith("--wrap")):
            kept.append(word)
    return name(words["--comment"]), " ".join(kept)


def srun_lines(said):
    """{"rule: srun ..."} of each training on several nodes, from the commands that `snakemake
    --printshellcmds` says.

    The launcher makes the line of the options in the command, so its own functions do so here; no
    job is run.
    """
    found, parser = set(), argparse.ArgumentParser()
    parser.add_argument("--spec", type=json.loads)
    launcher.add_arguments(parser)
    for rule, words in re.findall(
        r"exec python workflow/scripts/(pretrain|finetune)\.py (.*)", said
    ):
        asked, _ = parser.parse_known_args(shlex.split(words))
        if asked.nodes > 1:
            cpus = launcher.cpus_per_rank(asked.ranks, asked.spec["threads"], asked.cpus)
            place = {"SLURM_JOB_ID": "1", "CUDA_VISIBLE_DEVICES": "0"}
            found.add(
                f"{rule}: {shlex.join(launcher.srun_words(asked.nodes, asked.ranks, cpus, place))}"
            )
    return found


def test_what_study_a800_asks_of_a_cluster(demo, tmp_path, monkeypatch):
    """The arguments of every sbatch call and of the srun within, each once a rule. A change of the
    golden file must be meant.

    The posts are made up, in files of the official shapes.
    """
    tree, stand_in = copy_of_tree(tmp_path / "tree"), tmp_path / "stand-in"
    stand_in.mkdir()
    write_stand_ins(stand_in)
    monkeypatch.setenv("PATH", f"{stand_in}:{os.environ['PATH']}")
    a800 = (*cluster.QUICK, "--config", f"data={demo}/work/demo/posts", "seeds=1")
    outputs = [
        line.split("\t")[0] for line in snakemake(tree, *a800, "--summary").stdout.splitlines()[1:]
    ]
    for output in outputs:
        if output.startswith("results/base/"):  # not fetched here
            (tree / output).parent.mkdir(parents=True)
            (tree / output).touch()
    (stand_in / "outputs").write_text("\n".join(str(tree / output) for output in outputs))
    done = snakemake(tree, *a800, "--printshellcmds")
    assert done.returncode == 0, done.stdout + done.stderr
    calls = [json.loads(line) for line in (stand_in / "calls").read_text().splitlines()]
    assert len(calls) > 60
    job_names = {dict(zip(call, call[1:])).get("--job-name") for call in calls}
    assert job_names == {(tree / "work/a800/run").read_text()}, (
        "the next run looks for jobs of this name"
    )
    asked = {f"{rule}: {words}" for rule, words in map(asked_for, calls)}
    found = sorted(asked | srun_lines(done.stdout + done.stderr))
    assert found == GOLDEN.read_text().splitlines(), "\n".join(found)


# -- the two profiles -----------------------------------------------------------------------------


def profile(name):
    return yaml.safe_load((ROOT / name / "config.yaml").read_text())


def test_neither_profile_reruns_what_was_touched():
    sizes = {profile(name)["max-checksum-file-size"] for name in ("profiles/default", "slurm")}
    assert len(sizes) == 1 and min(sizes) > 10**10


def test_the_default_profile_leaves_the_cluster_run_alone():
    """It is merged into every run and wins key by key."""
    both = profile("profiles/default"), profile("slurm")
    shared = both[0].keys() & both[1].keys()
    assert shared == {"max-checksum-file-size", "rerun-triggers"}
    assert all(both[0][key] == both[1][key] for key in shared)


def test_neither_profile_goes_by_the_list_of_inputs():
    """Other shards of a pool are another list of inputs.

    The param `reads` says what a job reads.
    """
    assert set(profile("profiles/default")["rerun-triggers"]) == {
        "mtime",
        "params",
        "software-env",
        "code",
    }


def test_retries_stand_in_the_profile_alone():
    """In a rule they would multiply inside each job."""
    assert profile("slurm")["retries"] > 0
    rules = "\n".join(path.read_text() for path in (ROOT / "workflow/rules").glob("*.smk"))
    assert not re.search(r"^\s+retries:", rules, re.M)
