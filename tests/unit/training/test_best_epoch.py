"""Tests of `epoch: best`: the best model on dev is kept, also after kills and restarts."""

import json
from dataclasses import replace

import made
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import finetune
from postgrad.evaluation.metrics import score_predictions
from postgrad.records.posts import read_posts
from postgrad.training import finetuning, trainer
from postgrad.training.best_epoch import BestEpochCallback, dev_score, first_best_epoch

EPOCH = {"epoch": "best", "metric": "f1", "positive": [1]}


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bases")
    return {kind: made.made_base(folder / kind, kind) for kind in ("encoder", "causal")}


@pytest.fixture(scope="module")
def posts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clean") / "moods"
    return made.made_posts(folder / "train.parquet"), made.made_posts(
        folder / "dev.parquet", 12, seed=3
    )


def run(spec, base, posts, folder, name="out"):
    train, dev = posts
    finetune.main(made.training_words(spec, base, train, folder, name, dev=dev))
    return folder / name


def facts(folder):
    return json.loads((folder / "model.json").read_text())


def weights(folder):
    return (folder / "model.safetensors").read_bytes()


def score_epochs(monkeypatch, values):
    """Give the epochs these scores, in order; return the list of the weights that were scored."""
    seen, values = [], iter(values)

    def score(model, **_):
        seen.append({name: part.detach().clone() for name, part in model.state_dict().items()})
        return next(values)

    monkeypatch.setattr(finetuning, "dev_score", score)
    return seen


def test_of_equal_epochs_the_first_is_best():
    assert first_best_epoch({1: 0.2, 2: 0.7, 3: 0.7}) == 2
    assert first_best_epoch({3: 0.0, 1: 0.0}) == 1


def test_the_score_on_dev_by_hand():
    """Three of four positives are found, with one false alarm; batches change no order."""
    logits = torch.tensor(
        [[0.0, 1.0], [2.0, 0.0], [0.0, 3.0], [1.0, 0.0], [0.0, 0.1], [0.0, 0.2], [5.0, 0.0]]
    )
    gold = [1, 0, 1, 1, 0, 1, 0]
    examples = [{"ids": [0] * (7 - i), "label": label, "place": i} for i, label in enumerate(gold)]
    plain = made.finetune_options(positive=[1], metric="f1", batch=2)
    model = torch.nn.Linear(1, 1)

    def collate(batch):
        assert not model.training
        return {"place": torch.tensor([example["place"] for example in batch])}

    def score(**options):
        return dev_score(
            model,
            examples,
            collate,
            lambda model, batch: logits[batch["place"]],
            replace(plain, **options),
        )

    assert score() == 6 / 8 and model.training
    assert score(metric="accuracy") == 5 / 7
    assert score(metric="micro_f1") == 6 / 8 and score(metric="micro_f1", positive=[]) == 5 / 7


def test_the_model_of_the_best_epoch_is_written(tmp_path, bases, posts, monkeypatch):
    seen = score_epochs(monkeypatch, [0.2, 0.9, 0.9, 0.4])
    spec = made.finetune_spec("encoder", epochs=4, **EPOCH)
    out = run(spec, bases["encoder"], posts, tmp_path)
    assert (facts(out)["epoch"], facts(out)["dev"]) == (2, [0.2, 0.9, 0.9, 0.4])
    assert "dev" not in json.loads((out / "timing.json").read_text())
    found = load_file(out / "model.safetensors")
    assert all(torch.equal(found[name], part) for name, part in seen[1].items() if name in found)
    assert not all(
        torch.equal(found[name], part) for name, part in seen[3].items() if name in found
    )
    assert not list((tmp_path / "out-work").rglob("checkpoint-*"))


@pytest.mark.parametrize("kind", ["encoder", "causal"])
def test_its_score_is_that_of_its_predictions(tmp_path, bases, posts, kind):
    spec = made.finetune_spec(kind, epochs=6, lr=4.0e-3, **EPOCH)
    out, dev = run(spec, bases[kind], posts, tmp_path), posts[1]
    frame = made.predicted(made.predict_spec(kind), out, dev, tmp_path / "p.parquet")
    gold, names = read_posts(dev)["label"].astype(int), [label["name"] for label in made.LABELS]
    value = score_predictions(gold, frame["label"], np.stack(frame["probs"]), names, [1], "f1")[
        "values"
    ]["official"]
    found, epoch = facts(out)["dev"], facts(out)["epoch"]
    assert len(found) == 6 and len(set(found)) > 1 and found.index(max(found)) == epoch - 1
    assert found[epoch - 1] == pytest.approx(value)
    assert set(facts(out)["data"]) == {"moods/train.parquet", "moods/dev.parquet"}


def test_choosing_changes_no_step(tmp_path, bases, posts, monkeypatch):
    """Dropout drops the same units whether epochs are scored or not."""
    score_epochs(monkeypatch, [0.1, 0.2, 0.3])
    spec = made.finetune_spec("encoder", dropout=0.1)
    chosen = run(spec | EPOCH, bases["encoder"], posts, tmp_path, "chosen")
    assert weights(chosen) == weights(run(spec, bases["encoder"], posts, tmp_path, "last"))


@pytest.mark.parametrize(
    "stop", ["in epoch 3", "before the score of epoch 2", "after the score of epoch 2"]
)
def test_a_killed_run_finds_the_same_epoch(tmp_path, bases, posts, monkeypatch, stop):
    """An epoch has six steps; checkpoints are written after steps 6, 12 and 18."""
    spec = made.finetune_spec(
        "encoder", epochs=4, lr=1.0e-3, dropout=0.1, checkpoint_steps=6, **EPOCH
    )
    whole = run(spec, bases["encoder"], posts, tmp_path, "whole")
    step, look, counts = (
        trainer.PostTrainer.compute_loss,
        BestEpochCallback.on_step_end,
        {"steps": 0, "kill": True},
    )

    def stepping(self, *args, **options):
        counts["steps"] += 1
        if counts["steps"] == 15 and stop == "in epoch 3":
            raise KeyboardInterrupt
        return step(self, *args, **options)

    def looking(self, args, state, control, **options):
        late = state.global_step == 12 and counts["kill"]
        if late and stop == "before the score of epoch 2":
            counts["kill"] = False
            raise KeyboardInterrupt
        look(self, args, state, control, **options)
        if late and stop == "after the score of epoch 2":
            counts["kill"] = False
            raise KeyboardInterrupt

    monkeypatch.setattr(trainer.PostTrainer, "compute_loss", stepping)
    monkeypatch.setattr(BestEpochCallback, "on_step_end", looking)
    with pytest.raises(KeyboardInterrupt):
        run(spec, bases["encoder"], posts, tmp_path)
    out = run(spec, bases["encoder"], posts, tmp_path)
    assert (
        json.loads((out / "timing.json").read_text())["resumed"]
        == f"checkpoint-{12 if 'in' in stop[:2] else 6}"
    )
    assert facts(out) == facts(whole) and weights(out) == weights(whole)


def test_a_restart_discards_the_scores_of_the_collapsed_training(
    tmp_path, bases, posts, monkeypatch
):
    score_epochs(monkeypatch, [0.9, 0.8, 0.1, 0.2])
    verdicts = iter([True, False])
    monkeypatch.setattr(finetuning, "is_collapsed", lambda *_: next(verdicts))
    out = run(
        made.finetune_spec("encoder", epochs=2, restarts=1, **EPOCH),
        bases["encoder"],
        posts,
        tmp_path,
    )
    assert facts(out)["collapsed"] == [1] and (facts(out)["epoch"], facts(out)["dev"]) == (
        2,
        [0.1, 0.2],
    )


def test_where_no_epoch_can_be_chosen(tmp_path, bases, posts):
    spec = made.finetune_spec("encoder", **EPOCH)
    with pytest.raises(
        ValueError,
        match="epoch best saves whole weights, but under ZeRO 2 each rank holds a part of them",
    ):
        finetuning.check_dev_posts(made.finetune_options(**EPOCH), made.posts(), 2)
    unlabelled = tmp_path / "dev.parquet"
    made.write_posts(made.posts(4).assign(label=None), unlabelled)
    with pytest.raises(
        ValueError,
        match="epoch best needs labelled posts to choose on; give them with --dev, or write epoch",
    ):
        run(spec, bases["encoder"], (posts[0], unlabelled), tmp_path)
