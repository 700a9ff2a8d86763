"""Several ranks, with and without ZeRO, train as one process does.

Real trainings, joined by gloo.
"""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from functools import partial

import made
import pytest
import torch
from rank_runs import recorded
from safetensors.torch import load_file

import finetune
from postgrad.models.loading import load_model, load_tokenizer
from postgrad.models.tokenization import IGNORE_INDEX, causal_batch, padded_inputs
from postgrad.runtime import launcher
from postgrad.runtime.result_cache import COMPLETE
from postgrad.training import trainer
from postgrad.training.distributed import RankCollator, Ranks, check_partitioning, start_ranks

pytestmark = pytest.mark.slow

# 25 posts in batches of 4: seven steps an epoch, and the last batch has one post for two ranks.
STEADY = {"epochs": 3, "dropout": 0.0, "class_weights": "balanced", "threads": 1}
SHAKEN = {"epochs": 6, "dropout": 0.1, "checkpoint_steps": 10}
# Bits are compared for the two shaken ones. The one without ZeRO comes first: DeepSpeed leaves
# traces in a process.
RUNS = {"shaken-0": ("finetune", "encoder", 0, SHAKEN)}
RUNS |= {f"{verb}-{kind}-{zero}": (verb, kind, zero, STEADY) for verb, kind, zeros in [
    ("finetune", "encoder", (0, 1, 2, 3)), ("finetune", "causal", (0, 3)),
    ("pretrain", "encoder", (0, 3)), ("pretrain", "causal", (0, 2))] for zero in zeros}  # fmt: skip
RUNS["bf16"] = ("finetune", "causal", 3, STEADY | {"precision": "bf16"})
RUNS["shaken-3"] = ("finetune", "encoder", 3, SHAKEN)


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bases")
    return {kind: made.made_base(folder / kind, kind) for kind in ("encoder", "causal")}


@pytest.fixture(scope="module")
def train(tmp_path_factory):
    return made.made_posts(tmp_path_factory.mktemp("clean") / "moods" / "train.parquet", n=25)


def read_by(verb, posts):
    """The words of --data of a training."""
    return ["moods", "moods/train", posts] if verb == "pretrain" else posts


def spec_of(verb, kind, options):
    return (
        made.finetune_spec(kind, **options)
        if verb == "finetune"
        else made.pretrain_spec(kind, tokens=60, **options)
    )


def finished(command, **options):
    done = subprocess.run(
        command, cwd=made.ROOT, capture_output=True, text=True, timeout=400, **options
    )
    assert done.returncode == 0, done.stderr
    return done


def in_ranks(folder, runs, ranks):
    """{name: what each rank recorded} of {name: (verb, words)}, in one start of several ranks."""
    (folder / "runs.json").write_text(json.dumps(runs))
    finished([sys.executable, "tests/rank_runs.py", str(folder / "runs.json"), str(ranks)])
    return {
        name: [json.loads((folder / f"{name}.{r}.json").read_text()) for r in range(ranks)]
        for name in runs
    }


@pytest.fixture(scope="module")
def two(tmp_path_factory, bases, train):
    """(folder, {name: what each of two ranks recorded}) of all RUNS."""
    folder = tmp_path_factory.mktemp("two")
    runs = {}
    for name, (verb, kind, zero, options) in RUNS.items():
        spec = spec_of(verb, kind, options)
        runs[name] = (
            verb,
            made.training_words(
                spec, bases[kind], read_by(verb, train), folder, name, ranks=2, zero=zero
            ),
        )
    return folder, in_ranks(folder, runs, 2)


@pytest.fixture(scope="module")
def one(tmp_path_factory, bases, train):
    """(folder, {(verb, kind): what one process recorded})."""
    folder, seen = tmp_path_factory.mktemp("one"), {}
    for verb, kind in {(verb, kind) for verb, kind, _, _ in RUNS.values()}:
        spec = spec_of(verb, kind, STEADY)
        seen[verb, kind] = recorded(
            verb,
            made.training_words(spec, bases[kind], read_by(verb, train), folder, f"{verb}-{kind}"),
        )
    return folder, seen


def weights(folder):
    return load_file(folder / "model.safetensors")


def digests(folder):
    files = [path for path in sorted(folder.iterdir()) if path.name != "timing.json"]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize("name", [name for name in RUNS if RUNS[name][3] is STEADY])
def test_two_ranks_lose_what_one_process_loses(one, two, name):
    verb, kind, zero, _ = RUNS[name]
    alone, ranks = one[1][verb, kind], two[1][name]
    assert len(alone["losses"]) >= 20 and alone["losses"][-1] < alone["losses"][0]
    for seen in ranks:
        assert seen["losses"] == pytest.approx(alone["losses"], abs=1e-4)
        assert seen["parameters"] == alone["parameters"]
    held = sum(seen["held"] for seen in ranks) / alone["parameters"]
    assert (1 <= held < 1.05) if zero == 3 else held == 2, "ZeRO-3 loads a model in parts"


@pytest.mark.parametrize("name", RUNS)
def test_the_folder_is_that_of_one_process(one, two, name):
    verb, kind, zero, options = RUNS[name]
    alone, ranks = one[0] / f"{verb}-{kind}", two[0] / name
    assert {path.name for path in alone.iterdir()} == {path.name for path in ranks.iterdir()}
    assert (alone / "config.json").read_text() == (
        ranks / "config.json"
    ).read_text() or options is SHAKEN
    expected, found = weights(alone), weights(ranks)
    assert {name: (tensor.shape, tensor.dtype) for name, tensor in expected.items()} == {
        name: (tensor.shape, tensor.dtype) for name, tensor in found.items()
    }
    facts = [json.loads((folder / "model.json").read_text()) for folder in (alone, ranks)]
    assert facts[0] == facts[1] or options != STEADY, (
        "how many ranks there were is no part of a model"
    )
    timing = [json.loads((folder / "timing.json").read_text()) for folder in (alone, ranks)]
    assert (timing[1]["world"], timing[1]["zero"]) == (2, zero)
    assert timing[0]["tokens"] == timing[1]["tokens"] or options is SHAKEN, (
        "no dummy row is counted"
    )
    assert list((two[0] / f"{name}-work").glob("*/model")) and not list(
        (two[0] / f"{name}-work").rglob("checkpoint-*")
    )
    if options is not SHAKEN:
        tokenizer, form = load_tokenizer(alone), {"encoder": "encoder", "causal": "causal"}[kind]
        form = "plain" if (verb, kind) == ("pretrain", "encoder") else form
        batch = padded_inputs(
            tokenizer(list(made.posts(8)["text"]))["input_ids"], tokenizer.pad_token_id
        )
        with torch.inference_mode():
            outputs = [load_model(folder, form).eval()(**batch)[0] for folder in (alone, ranks)]
        limit = 0.5 if name == "bf16" else 1e-3
        assert (outputs[0] - outputs[1]).abs().max() < limit


# A head of our own under ZeRO-3; several rows a post; class weights that change.
RARE = {
    "loss": "mm-ldam",
    "max_m": 0.5,
    "mm_max_m": 0.5,
    "mm_gamma": 1.1,
    "class_weights": "none",
    "drw": 0.5,
}
RARE_RUNS = {"encoder": 3, "causal": 0}


def test_two_ranks_do_what_one_process_does_for_rare_classes(tmp_path, bases, train):
    specs = {}
    for kind in RARE_RUNS:
        head = {"head": "cosine", "s": 30} if kind == "encoder" else {}
        specs[kind] = spec_of("finetune", kind, STEADY | RARE | head)
    runs = {
        kind: (
            "finetune",
            made.training_words(
                specs[kind], bases[kind], train, tmp_path, kind, ranks=2, zero=zero
            ),
        )
        for kind, zero in RARE_RUNS.items()
    }
    thrown = spec_of("finetune", "encoder", STEADY | {"epochs": 1, "lr": 1.0, "restarts": 1})
    for zero in (0, 3):
        paths = made.training_words(
            thrown, bases["encoder"], train, tmp_path, f"thrown-{zero}", ranks=2, zero=zero
        )
        runs[f"thrown-{zero}"] = "finetune", paths
    two = in_ranks(tmp_path, runs, 2)
    for zero in (0, 3):
        facts = json.loads((tmp_path / f"thrown-{zero}" / "model.json").read_text())
        assert (facts["seed"], facts["collapsed"]) == (1001, [1, 1001]), (
            "a rate of 1 leaves one class"
        )
        assert all(len(seen["losses"]) == 2 * 7 for seen in two[f"thrown-{zero}"])
    for kind in RARE_RUNS:
        alone = recorded(
            "finetune",
            made.training_words(specs[kind], bases[kind], train, tmp_path, f"{kind}-alone"),
        )
        for seen in two[kind]:
            assert seen["losses"] == pytest.approx(alone["losses"], rel=1e-3, abs=1e-4)
            assert seen["parameters"] == alone["parameters"]
        one, other = tmp_path / f"{kind}-alone", tmp_path / kind
        expected, found = weights(one), weights(other)
        assert {name: tensor.shape for name, tensor in expected.items()} == {
            name: tensor.shape for name, tensor in found.items()}  # fmt: skip
        assert (one / "config.json").read_text() == (other / "config.json").read_text()
        timing = [json.loads((folder / "timing.json").read_text()) for folder in (one, other)]
        assert timing[0]["tokens"] == timing[1]["tokens"]


@pytest.mark.parametrize("zero", [0, 3])
def test_a_killed_training_resumes_to_the_same_weights(tmp_path, bases, train, two, capfd, zero):
    """Dropout makes them depend on each rank's random numbers.

    A training with another number of ranks begins anew.
    """
    spec = made.finetune_spec("encoder", **SHAKEN)
    given = made.training_words(spec, bases["encoder"], train, tmp_path, "out", ranks=2, zero=zero)
    work = tmp_path / "out-work"
    command = [sys.executable, "workflow/scripts/finetune.py", *given]
    killed = subprocess.Popen(command, cwd=made.ROOT, stderr=subprocess.PIPE, text=True)
    while killed.poll() is None and not list(work.glob(f"*/checkpoint-*/{COMPLETE}")):
        time.sleep(0.02)
    killed.kill()
    killed.communicate(timeout=30)  # the ranks hold stderr open: none outlives the launcher
    assert killed.returncode == -signal.SIGKILL and not (tmp_path / "out").exists()

    copied = shutil.copytree(work, tmp_path / "copied")
    key = json.loads(next(work.glob("*/key.json")).read_text())
    assert trainer.find_checkpoint(copied, key, Ranks(0, 2, zero)).name.startswith("checkpoint-")
    assert trainer.find_checkpoint(copied, key, Ranks(0, 3, zero)) is None and not list(
        copied.rglob("checkpoint-*")
    )
    heard = capfd.readouterr().err
    assert (
        f"was written by 2 ranks, ZeRO {zero}, and this run has 3 ranks, ZeRO {zero}; "
        "training starts again from the beginning" in heard
    )

    finished(command)
    timing = json.loads((tmp_path / "out" / "timing.json").read_text())
    assert (
        timing["resumed"] in ("checkpoint-10", "checkpoint-20", "checkpoint-30")
        and timing["steps"] == 42
    )
    expected, found = weights(two[0] / f"shaken-{zero}"), weights(tmp_path / "out")
    assert all(torch.equal(tensor, found[name]) for name, tensor in expected.items())


def test_three_ranks_share_eight_posts_and_one(tmp_path, bases, train):
    """25 posts: three batches of eight, and one of a single post in which two ranks have no row."""
    spec = made.finetune_spec("encoder", **STEADY | {"batch": 8, "epochs": 5})
    alone = recorded(
        "finetune", made.training_words(spec, bases["encoder"], train, tmp_path, "alone")
    )
    runs = {
        "three": (
            "finetune",
            made.training_words(spec, bases["encoder"], train, tmp_path, "three", ranks=3),
        )
    }
    for seen in in_ranks(tmp_path, runs, 3)["three"]:
        assert len(seen["losses"]) == 20 and seen["losses"] == pytest.approx(
            alone["losses"], abs=1e-4
        )


@pytest.mark.parametrize("n, world", [(8, 3), (1, 3), (4, 2)])
def test_shares_are_a_batch(n, world):
    """Every row belongs to one rank.

    Weights make the mean over ranks the mean of the batch, over posts or over taught tokens.
    """
    rows = [{"ids": list(range(i + 2)), "n_targets": i % 3 + 1, "label": i} for i in range(n)]
    for labelled in (True, False):
        rows = (
            rows if labelled else [{key: row[key] for key in ("ids", "n_targets")} for row in rows]
        )
        shares = [
            RankCollator(partial(causal_batch, fill=0), Ranks(rank, world))(rows)
            for rank in range(world)
        ]
        parts, lost = [share for share in shares if share["weight"]], 0.0
        assert sorted(
            ids for share in parts for ids in share["attention_mask"].sum(dim=1).tolist()
        ) == [len(row["ids"]) for row in rows]
        assert {share["tokens"] for share in shares} == {sum(len(row["ids"]) for row in rows)}
        for share in shares:
            assert len(share["input_ids"]) >= 1, "whoever has no row takes part nevertheless"
            taught = (share["targets"] != IGNORE_INDEX).sum(dim=1).float()
            lost += share["weight"] * float(
                (taught**2).mean() if labelled else (taught**2).sum() / taught.sum()
            )
        taught = torch.tensor([min(row["n_targets"], len(row["ids"]) - 1) for row in rows]).float()
        expected = (taught**2).mean() if labelled else (taught**2).sum() / taught.sum()
        assert lost / world == pytest.approx(float(expected))


SRUN = """#!{python}
import json, os, subprocess, sys
start = next(i for i, word in enumerate(sys.argv) if i and not word.startswith("--"))
json.dump({{"options": sys.argv[1:start], "port": os.environ["MASTER_PORT"]}}, open("{told}", "w"))
assert not {{"RANK", "LOCAL_RANK"}} & os.environ.keys()
def task(number):
    own = {{"SLURM_PROCID": str(number), "SLURM_LOCALID": "0", "MASTER_ADDR": "127.0.0.1"}}
    return subprocess.Popen(sys.argv[start:], env=os.environ | own)
tasks = [task(0), task(1)]
sys.exit(max(task.wait() for task in tasks))
"""


def test_two_nodes_train_by_srun_and_no_shell_reads_a_value(tmp_path, bases, train, one):
    """A stand-in for srun starts the two ranks on this host.

    RANK and SLURM_PROCID of the shell mean nothing.
    """
    name = f"plain; touch {tmp_path}/a $(touch {tmp_path}/b) `touch {tmp_path}/c` 'x' \"y\""
    spec = made.finetune_spec("encoder", **STEADY | {"node": name, "threads": 2})
    (tmp_path / "bin").mkdir()
    srun = tmp_path / "bin" / "srun"
    srun.write_text(SRUN.format(python=sys.executable, told=tmp_path / "told.json"))
    srun.chmod(0o755)
    given = made.training_words(
        spec, bases["encoder"], train, tmp_path, "out", nodes=2, ranks=1, zero=1, cpus=2
    )
    command = [sys.executable, "workflow/scripts/finetune.py", *given]
    place = {
        "PATH": f"{tmp_path}/bin:{os.environ['PATH']}",
        "SLURM_JOB_ID": str(40000 + os.getpid() % 20000),
        "RANK": "7",
        "LOCAL_RANK": "7",
        "SLURM_PROCID": "5",
    }
    finished(command, env=os.environ | place)
    told = json.loads((tmp_path / "told.json").read_text())
    assert told["options"] == launcher.srun_words(2, 1, 2, place)[1:]
    assert told["port"] == str(20000 + os.getpid() % 20000)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "bin",
        "out",
        "out-work",
        "out.spec.json",
        "told.json",
    ]
    facts = json.loads((tmp_path / "out" / "model.json").read_text())
    assert facts["spec"] == spec
    expected, found = weights(one[0] / "finetune-encoder"), weights(tmp_path / "out")
    assert max((found[name] - tensor).abs().max() for name, tensor in expected.items()) < 1e-3

    again = subprocess.run(command, cwd=made.ROOT, capture_output=True, text=True)
    assert again.returncode == 0 and "restored" in again.stderr, (
        "outside any job: no rank is started for that"
    )


def test_one_process_trains_alone_without_torch_distributed(one):
    """A stray RANK in the shell means nothing, and accelerate may import DeepSpeed.

    It has no part in the training.
    """
    timing = json.loads((one[0] / "finetune-encoder" / "timing.json").read_text())
    assert (timing["world"], timing["zero"]) == (1, 0)
    assert not torch.distributed.is_initialized()
    deepspeed = sys.modules.get("deepspeed.comm.comm")
    assert deepspeed is None or not deepspeed.is_initialized()
    assert start_ranks(0, "fp32") == Ranks() and Ranks().is_single_process


def test_bad_numbers_end_in_one_sentence(tmp_path, bases, train, monkeypatch):
    def fault(**machine):
        spec = made.finetune_spec("encoder", epochs=1)
        with pytest.raises(ValueError) as caught:
            finetune.main(
                made.training_words(spec, bases["encoder"], train, tmp_path, "out", **machine)
            )
        return str(caught.value)

    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    assert "give 1 or more" in fault(ranks=0) and "0, 1, 2 or 3" in fault(zero=4)
    assert "--nodes 2 needs a SLURM job of 2 nodes" in fault(nodes=2)
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    assert "--cpus 1 --ranks 2: each rank needs a CPU; ask for 2" in fault(nodes=2, ranks=2, cpus=1)
    with pytest.raises(ValueError, match="loaded whole on each rank"):
        check_partitioning(load_model(bases["encoder"], "encoder"), Ranks(0, 2, 3))
