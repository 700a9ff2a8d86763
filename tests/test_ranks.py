"""Several ranks, with and without ZeRO, train as one process does; real trainings, joined by gloo."""

import hashlib
import json
import subprocess
import sys

import made
import pytest
import torch
from rank_runs import recorded
from safetensors.torch import load_file

from postgrad import launch
from postgrad.examples import inputs
from postgrad.models import load_model, load_tokenizer

AGENT = [sys.executable, "workflow/scripts/postgrad/launch.py"]
# 25 posts in batches of 4: seven steps an epoch, and the last batch has one post for two ranks.
STEADY = {"epochs": 3, "dropout": 0.0, "class_weights": "balanced", "threads": 1}
SHAKEN = {"epochs": 6, "dropout": 0.1, "checkpoint_steps": 10}
RUNS = {f"{verb}-{kind}-{zero}": (verb, kind, zero, STEADY) for verb, kind, zeros in [
    ("finetune", "encoder", (0, 1, 2, 3)), ("finetune", "causal", (0, 3)),
    ("pretrain", "encoder", (0, 3)), ("pretrain", "causal", (0, 2))] for zero in zeros}  # fmt: skip
RUNS["bf16"] = ("finetune", "causal", 3, STEADY | {"precision": "bf16"})
RUNS["shaken"] = ("finetune", "encoder", 3, SHAKEN)


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bases")
    return {kind: made.made_base(folder / kind, kind) for kind in ("encoder", "causal")}


@pytest.fixture(scope="module")
def train(tmp_path_factory):
    return made.made_posts(tmp_path_factory.mktemp("clean") / "moods" / "train.parquet", n=25)


def words(verb, spec, base, train, folder, name, **machine):
    paths = {"base": base, "data": train, "work": folder / f"{name}-work", "out": folder / name}
    return made.arguments(spec, **paths, **machine)


def spec_of(verb, kind, options):
    return made.finetune_spec(kind, **options) if verb == "finetune" else made.pretrain_spec(kind, tokens=60, **options)


def agent(ranks, *more, node=0, nodes=1, port=None):
    """The command that starts one node's ranks."""
    numbers = {"nnodes": nodes, "nproc-per-node": ranks, "node-rank": node, "master-addr": launch.ADDRESS}
    numbers["master-port"] = port or launch.free_port()
    return [*AGENT, *(f"--{name}={value}" for name, value in numbers.items()), *map(str, more)]


def finished(command, **options):
    done = subprocess.run(command, cwd=made.ROOT, capture_output=True, text=True, timeout=400, **options)
    assert done.returncode == 0, done.stderr
    return done


def in_ranks(folder, runs, ranks):
    """{name: what each rank recorded} of {name: (verb, words)}, in one start of so many ranks."""
    (folder / "runs.json").write_text(json.dumps(runs))
    finished(agent(ranks, "tests/rank_runs.py", folder / "runs.json"))
    return {name: [json.loads((folder / f"{name}.{r}.json").read_text()) for r in range(ranks)] for name in runs}


@pytest.fixture(scope="module")
def two(tmp_path_factory, bases, train):
    """(folder, {name: what each of two ranks recorded}) of all RUNS."""
    folder = tmp_path_factory.mktemp("two")
    runs = {}
    for name, (verb, kind, zero, options) in RUNS.items():
        spec = spec_of(verb, kind, options)
        runs[name] = verb, words(verb, spec, bases[kind], train, folder, name, ranks=2, zero=zero)
    return folder, in_ranks(folder, runs, 2)


@pytest.fixture(scope="module")
def one(tmp_path_factory, bases, train):
    """(folder, {(verb, kind): what one process recorded})."""
    folder, seen = tmp_path_factory.mktemp("one"), {}
    for verb, kind in {(verb, kind) for verb, kind, _, _ in RUNS.values()}:
        spec = spec_of(verb, kind, STEADY)
        seen[verb, kind] = recorded(verb, words(verb, spec, bases[kind], train, folder, f"{verb}-{kind}"))
    return folder, seen


def weights(folder):
    return load_file(folder / "model.safetensors")


def digests(folder):
    files = [path for path in sorted(folder.iterdir()) if path.name != "timing.json"]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize("name", [name for name in RUNS if name not in ("bf16", "shaken")])
def test_two_ranks_lose_what_one_process_loses(one, two, name):
    verb, kind, zero, _ = RUNS[name]
    alone, ranks = one[1][verb, kind], two[1][name]
    assert len(alone["losses"]) >= 20 and alone["losses"][-1] < alone["losses"][0]
    for seen in ranks:
        assert seen["losses"] == pytest.approx(alone["losses"], abs=1e-3)
        assert seen["parameters"] == alone["parameters"]
    held = sum(seen["held"] for seen in ranks) / alone["parameters"]
    assert (1 <= held < 1.05) if zero == 3 else held == 2, "ZeRO-3 loads a model in parts"


@pytest.mark.parametrize("name", RUNS)
def test_the_folder_is_that_of_one_process(one, two, name):
    verb, kind, zero, options = RUNS[name]
    alone, ranks = one[0] / f"{verb}-{kind}", two[0] / name
    assert {path.name for path in alone.iterdir()} == {path.name for path in ranks.iterdir()}
    assert (alone / "config.json").read_text() == (ranks / "config.json").read_text() or name == "shaken"
    expected, found = weights(alone), weights(ranks)
    assert {name: (tensor.shape, tensor.dtype) for name, tensor in expected.items()} == {
        name: (tensor.shape, tensor.dtype) for name, tensor in found.items()
    }
    facts = [json.loads((folder / "model.json").read_text()) for folder in (alone, ranks)]
    assert facts[0] == facts[1] or options != STEADY, "how many ranks there were is no part of a model"
    timing = [json.loads((folder / "timing.json").read_text()) for folder in (alone, ranks)]
    assert (timing[1]["world"], timing[1]["zero"]) == (2, zero)
    assert timing[0]["tokens"] == timing[1]["tokens"] or name == "shaken", "no dummy row is counted"
    assert (two[0] / f"{name}-work" / "model").is_dir() and not list((two[0] / f"{name}-work").glob("checkpoint-*"))
    if name != "shaken":
        tokenizer, form = load_tokenizer(alone), {"encoder": "encoder", "causal": "causal"}[kind]
        form = "plain" if (verb, kind) == ("pretrain", "encoder") else form
        batch = inputs(tokenizer(list(made.posts(8)["text"]))["input_ids"], tokenizer.pad_token_id)
        with torch.inference_mode():
            outputs = [load_model(folder, form).eval()(**batch)[0] for folder in (alone, ranks)]
        limit = 0.5 if name == "bf16" else 1e-2
        assert (outputs[0] - outputs[1]).abs().max() < limit
