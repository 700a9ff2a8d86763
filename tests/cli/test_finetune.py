"""The command finetune: what a model is taught, equal bytes, and a killed run that resumes."""

import hashlib
import json
import shutil
import signal
import subprocess
import sys
import time

import made
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import finetune
from postgrad.models import linear
from postgrad.models.heads import initialize_head
from postgrad.models.loading import load_model
from postgrad.runtime.result_cache import COMPLETE
from postgrad.training import finetuning, trainer


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bases")
    return {kind: made.made_base(folder / kind, kind) for kind in ("encoder", "causal", "linear")}


@pytest.fixture(scope="module")
def train(tmp_path_factory):
    return made.made_posts(tmp_path_factory.mktemp("clean") / "moods" / "train.parquet")


def run(spec, base, train, folder, name="out"):
    """The output folder of one training in this process."""
    finetune.main(made.training_words(spec, base, train, folder, name))
    return folder / name


def digests(folder):
    files = [path for path in sorted(folder.iterdir()) if path.name != "timing.json"]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_linear_agrees_with_scikit_learn_and_imports_no_torch(tmp_path, bases, train):
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    from postgrad.records.posts import input_texts, read_posts

    paths = {
        "base": bases["linear"],
        "data": train,
        "work": tmp_path / "w",
        "out": tmp_path / "out",
    }
    words = made.arguments(made.linear_spec(), **paths)
    code = "import sys, finetune; finetune.main(sys.argv[1:]); sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code, *words], cwd=made.ROOT / "workflow/scripts")
    assert done.returncode == 0
    assert {path.suffix for path in (tmp_path / "out").iterdir()} == {".json", ".safetensors"}
    frame = read_posts(train)
    texts = input_texts(frame)
    tfidf = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    fit = LogisticRegression(C=5.0, max_iter=1000).fit(
        tfidf.fit_transform(texts), frame["label"].astype(int)
    )
    new = [*texts[:5], "Nothing known: rain, RAIN!", "", "zzz"]
    logits = linear.linear_logits(linear.load_linear_model(tmp_path / "out"), new)
    assert logits.shape == (8, 2) and (logits[:, 0] == 0).all()
    np.testing.assert_allclose(
        logits[:, 1], fit.decision_function(tfidf.transform(new)), atol=1e-12
    )


def test_an_encoder_learns_and_the_same_spec_gives_the_same_bytes(tmp_path, bases, train, capfd):
    spec = made.finetune_spec("encoder", epochs=6, dropout=0.1)
    one, two = (run(spec, bases["encoder"], train, tmp_path, name) for name in ("one", "two"))
    assert digests(one) == digests(two)
    assert {
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "model.json",
        "timing.json",
    } <= set(path.name for path in one.iterdir())
    facts = json.loads((one / "model.json").read_text())
    assert (
        facts["labels"] == ["no", "yes"]
        and facts["rows"] == 24
        and facts["classes"] == {"no": 12, "yes": 12}
    )
    assert (
        facts["spec"] == spec
        and facts["base"]["model"] == "encoder"
        and facts["version"] == finetune.VERSION
    )
    assert list(facts["data"]) == ["moods/train.parquet"] and "seconds" not in facts
    timing = json.loads((one / "timing.json").read_text())
    assert (
        timing["steps"] == 36 and timing["tokens"] == 6 * facts["tokens"] and timing["threads"] == 1
    )
    assert not list((tmp_path / "one-work").rglob("checkpoint-*"))

    lines = made.kept(tmp_path / "one-work", "progress.jsonl").read_text().splitlines()
    last = json.loads(lines[-1])
    assert last["step"] == last["of"] == 36 and last["eta_s"] == 0 and last["tokens_per_s"] > 0
    assert last["loss"] < 0.2, "24 posts that one word tells apart"
    heard = capfd.readouterr()
    assert heard.out.count("\n") == 2 and lines[-1] in heard.err, (
        "the command of each run, and nothing else"
    )
    assert not any(word in heard.err + "".join(lines) for word in ("cheerful", "weary"))
    three = run(spec | {"seed": 2}, bases["encoder"], train, tmp_path, "three")
    assert digests(three)["model.safetensors"] != digests(one)["model.safetensors"]


def test_a_head_is_kept_where_labels_agree_and_new_where_not(tmp_path, bases, train):
    still = {"lr": 0.0, "epochs": 1, "weight_decay": 0.0}
    first = run(made.finetune_spec("encoder", epochs=1), bases["encoder"], train, tmp_path, "first")
    kept = run(made.finetune_spec("encoder", **still), first, train, tmp_path, "kept")
    assert digests(kept)["model.safetensors"] == digests(first)["model.safetensors"]
    renamed = [made.LABELS[0], made.LABELS[1] | {"name": "perhaps"}]
    other = run(
        made.finetune_spec("encoder", labels=renamed, **still), first, train, tmp_path, "other"
    )
    before, after = (load_file(folder / "model.safetensors") for folder in (first, other))
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"classifier.weight", "classifier.bias"}
    three = run(
        made.finetune_spec("encoder", labels=[*renamed, {"name": "third"}], **still),
        first,
        train,
        tmp_path,
    )
    assert load_file(three / "model.safetensors")["classifier.weight"].shape == (3, 32)
    model = load_model(first, "encoder")
    heads = []
    for seed in (1, 1, 2):
        initialize_head(model, seed)
        heads.append(model.classifier.weight.detach().clone())
    assert torch.equal(heads[0], heads[1]) and not torch.equal(heads[0], heads[2])
    assert heads[0].std().item() == pytest.approx(0.02, rel=0.4)


def test_frozen_embeddings_stay_and_dropout_and_precision_take_effect(tmp_path, bases, train):
    options = {
        "frozen": ["embeddings"],
        "dropout": 0.0,
        "precision": "bf16",
        "attention": "sdpa",
        "epochs": 1,
    }
    out = run(made.finetune_spec("encoder", **options), bases["encoder"], train, tmp_path)
    before, after = (
        load_file(bases["encoder"] / "model.safetensors"),
        load_file(out / "model.safetensors"),
    )
    for name, tensor in before.items():
        assert torch.equal(tensor, after[f"bert.{name}"]) == name.startswith("embeddings."), name
    assert json.loads((out / "config.json").read_text())["hidden_dropout_prob"] == 0.0
    assert all(tensor.dtype == torch.float32 for tensor in after.values())


def test_a_causal_model_learns_its_answers(tmp_path, bases, train):
    spec = made.finetune_spec("causal", epochs=12, class_weights="balanced", schedule="linear")
    one, two = (run(spec, bases["causal"], train, tmp_path, name) for name in ("one", "two"))
    assert digests(one) == digests(two)
    last = json.loads(
        made.kept(tmp_path / "one-work", "progress.jsonl").read_text().splitlines()[-1]
    )
    assert last["loss"] < 0.3, "whole answers of 24 posts that one word tells apart"
    digit = run(
        spec | {"answers": "digits", "epochs": 1}, bases["causal"], train, tmp_path, "digits"
    )
    assert digests(digit)["model.safetensors"] != digests(one)["model.safetensors"]


def test_a_killed_run_resumes_to_the_same_weights(tmp_path, bases, train):
    # Dropout makes the weights depend on the state of every random number generator.
    spec = made.finetune_spec("encoder", epochs=40, dropout=0.1, checkpoint_steps=20)
    whole = run(spec, bases["encoder"], train, tmp_path, "whole")
    work, out = tmp_path / "work", tmp_path / "out"
    words = made.arguments(spec, base=bases["encoder"], data=train, work=work, out=out)
    command = [sys.executable, "workflow/scripts/finetune.py", *words]
    killed = subprocess.Popen(command, cwd=made.ROOT, stderr=subprocess.DEVNULL)
    while killed.poll() is None and not list(work.glob(f"*/checkpoint-*/{COMPLETE}")):
        time.sleep(0.005)
    killed.send_signal(signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL, "the run must die before its end"
    assert not out.exists()
    (folder,) = work.iterdir()
    torn = folder / "checkpoint-230"  # the highest number, and not complete
    torn.mkdir()
    (torn / "model.safetensors").write_bytes(b"torn")
    finetune.main(words)
    timing = json.loads((out / "timing.json").read_text())
    assert timing["resumed"] and timing["resumed"] != "checkpoint-230" and timing["steps"] == 240
    assert digests(out) == digests(whole)
    assert not list(work.rglob("checkpoint-*"))


def test_two_checkpoints_are_kept_while_a_training_runs(tmp_path, bases, train, monkeypatch):
    left, save = [], trainer.CheckpointCallback.on_save

    def counted(self, args, state, control, **options):
        save(self, args, state, control, **options)
        left.append(
            sorted(path.parent.name for path in self.path.parent.glob(f"checkpoint-*/{COMPLETE}"))
        )

    monkeypatch.setattr(trainer.CheckpointCallback, "on_save", counted)
    run(made.finetune_spec("encoder", checkpoint_steps=3), bases["encoder"], train, tmp_path)
    pairs = [
        [f"checkpoint-{step}" for step in steps]
        for steps in ([3], [3, 6], [6, 9], [9, 12], [12, 15])
    ]
    assert left == [sorted(pair) for pair in pairs], "18 steps, and the model itself after the last"
    assert not list((tmp_path / "out-work").rglob("checkpoint-*"))


@pytest.mark.parametrize("kind", ["encoder", "causal", "linear"])
def test_an_equal_key_takes_the_finished_model_back_to_the_byte(
    tmp_path, bases, train, kind, monkeypatch
):
    """Also if the results were deleted. Another spec trains.

    The bytes of model.json are part of later keys.
    """
    library = linear if kind == "linear" else finetuning
    spec = made.linear_spec() if kind == "linear" else made.finetune_spec(kind, epochs=1)
    name = "finetune_linear_classifier" if kind == "linear" else "finetune_classifier"
    calls, trained = [], getattr(library, name)
    monkeypatch.setattr(
        library,
        name,
        lambda options, *rest: calls.append(options.seed) or trained(options, *rest),
    )
    out = run(spec, bases[kind], train, tmp_path)
    before, facts = digests(out), json.loads((out / "model.json").read_text())
    assert calls == [1] and facts["tokens"] > 0 and "model.json" in before
    assert digests(run(spec, bases[kind], train, tmp_path)) == before
    shutil.rmtree(out)
    assert digests(run(spec, bases[kind], train, tmp_path)) == before and calls == [1]
    assert (out / "timing.json").is_file()
    after = digests(run({**spec, "seed": 2}, bases[kind], train, tmp_path))
    assert calls == [1, 2] and after["model.json"] != before["model.json"]


@pytest.mark.parametrize("kind", ["encoder", "linear"])
def test_a_model_is_taken_back_without_a_library_to_train_it(tmp_path, bases, train, kind):
    spec = made.linear_spec() if kind == "linear" else made.finetune_spec(kind, epochs=1)
    before = digests(run(spec, bases[kind], train, tmp_path))
    words = made.arguments(
        spec, base=bases[kind], data=train, work=tmp_path / "out-work", out=tmp_path / "new"
    )
    heavy = "{'torch', 'transformers', 'sklearn'}"
    code = "import sys, finetune; finetune.main(sys.argv[1:]); "
    code += f"sys.exit(bool({heavy} & set(sys.modules)))"
    command = [sys.executable, "-c", code, *words]
    done = subprocess.run(
        command, cwd=made.ROOT / "workflow/scripts", capture_output=True, text=True
    )
    assert done.returncode == 0 and done.stderr.endswith("finished model restored\n"), done.stderr
    assert digests(tmp_path / "new") == before


def test_bad_input_ends_in_one_sentence(tmp_path, bases, train):
    def fault(spec, frame=None, **paths):
        data = train
        if frame is not None:
            data = tmp_path / "bad.parquet"
            made.write_posts(frame, data)
        paths = {
            "base": bases["encoder"],
            "data": data,
            "work": tmp_path / "w",
            "out": tmp_path / "out",
        } | paths
        with pytest.raises((ValueError, FileNotFoundError)) as caught:
            finetune.main(made.arguments(spec, **paths))
        assert not (tmp_path / "out").exists() and "cheerful" not in str(caught.value)
        return str(caught.value)

    spec = made.finetune_spec("encoder")
    assert "epoch first is unknown here; write last or best" in fault(spec | {"epoch": "first"})
    assert "epoch best needs labelled posts to choose on; give them with --dev" in fault(
        spec | {"epoch": "best"}
    )
    assert "write embeddings" in fault(spec | {"frozen": ["head"]})
    assert "class_weights: heavy" in fault(spec | {"class_weights": "heavy"})
    assert "class_weights: [1, 2, 3]" in fault(spec | {"class_weights": [1, 2, 3]})
    assert "is of kind causal" in fault(spec, base=bases["causal"])
    assert "model.json is missing" in fault(spec, base=tmp_path / "absent")
    frame = made.posts()
    assert "24 training posts have no label" in fault(spec, frame.assign(label=None))
    assert "label 7 is not among its 2 classes" in fault(spec, frame.assign(label=7))
    assert "no training posts are left" in fault(spec, frame[:0])
    assert "all 24 training posts have one class" in fault(
        made.linear_spec(), frame.assign(label=1), base=bases["linear"]
    )
    (tmp_path / "home" / "folder").mkdir(parents=True)
    paths = {
        "base": bases["linear"],
        "data": train,
        "work": tmp_path / "w",
        "out": tmp_path / "home",
    }
    words = made.arguments(made.linear_spec(), **paths)
    done = made.script("finetune", words)
    assert (
        done.returncode == 1
        and done.stderr.startswith("finetune: --out")
        and "Traceback" not in done.stderr
    )
    assert (tmp_path / "home" / "folder").is_dir()
