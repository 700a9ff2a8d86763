"""Tests of heads: hand-computed features, shapes, saving and loading; and of RAdam."""

import json
import shutil
from types import SimpleNamespace

import made
import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    RobertaConfig,
    RobertaForSequenceClassification,
)

import finetune
from postgrad.models.heads import (
    POOLINGS,
    CosineLayer,
    PoolingHead,
    initialize_head,
    pooled_encoder_class,
)
from postgrad.models.loading import load_model
from postgrad.records.posts import read_posts
from postgrad.training import trainer

# Hidden states of the embedding and 3 layers, of width 2, for two posts of three and two tokens.
# The second post's third token is padding.
STATES = [torch.arange(12.0).reshape(2, 3, 2) + 100 * layer for layer in range(4)]
POOLED = torch.tensor([[-1.0, -2.0], [-3.0, -4.0]])
MASK = torch.tensor([[1, 1, 1], [1, 1, 0]])


def config(pooling, width=2, layers=3):
    return SimpleNamespace(
        head_pooling=pooling, hidden_size=width, num_hidden_layers=layers, num_labels=3
    )


@pytest.mark.parametrize(
    ("pooling", "first", "second"),
    [
        ("mean", [302, 303], [307, 308]),
        ("last2+pooler", [-1, -2, 300, 301, 200, 201], [-3, -4, 306, 307, 206, 207]),
        ("last3", [300, 301, 200, 201, 100, 101], [306, 307, 206, 207, 106, 107]),
        (
            "last3+pooler",
            [-1, -2, 300, 301, 200, 201, 100, 101],
            [-3, -4, 306, 307, 206, 207, 106, 107],
        ),
    ],
)
def test_what_a_pooling_reads_by_hand(pooling, first, second):
    head = PoolingHead(config(pooling), pooler=True)
    assert head.features(STATES, POOLED, MASK).tolist() == [first, second]
    assert head(STATES, POOLED, MASK).shape == (2, 3)


def test_widths_are_those_of_the_paper():
    widths = {
        name: PoolingHead(config(name, 768, 12), pooler=True).out.in_features for name in POOLINGS
    }
    assert widths == {
        "mean": 768,
        "last2+pooler": 2304,
        "last3": 2304,
        "last3+pooler": 3072,
        "bigru-pooler": 1024,
        "bigru-tokens": 1024,
    }
    assert PoolingHead(config("bigru-tokens", 768, 12), pooler=True).gru.input_size == 768


def last_gru_state(gru, row, side):
    """Return the last state of one direction over (T, H), by the equations of Cho et al. 2014."""
    inner, outer, b, c = (
        getattr(gru, f"{name}_l0{side}")
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    state = torch.zeros(gru.hidden_size)
    for token in row.flip(0) if side else row:
        (ir, iz, i), (hr, hz, h) = (inner @ token + b).chunk(3), (outer @ state + c).chunk(3)
        reset, update = torch.sigmoid(ir + hr), torch.sigmoid(iz + hz)
        state = (1 - update) * torch.tanh(i + reset * h) + update * state
    return state


def test_a_gru_reads_a_post_from_both_ends_and_no_padding():
    torch.manual_seed(1)
    states, pooled = [torch.randn(2, 3, 6)], torch.randn(2, 6)
    for pooling, rows in (
        ("bigru-tokens", [states[0][0], states[0][1, :2]]),
        ("bigru-pooler", pooled[:, None]),
    ):
        head = PoolingHead(config(pooling, width=6), pooler=True)
        expected = [
            torch.cat([last_gru_state(head.gru, row, side) for side in ("", "_reverse")])
            for row in rows
        ]
        found = head.features(states, pooled, MASK)
        assert found.shape == (2, 8)
        torch.testing.assert_close(found, torch.stack(expected), atol=1e-6, rtol=1e-5)


def test_a_new_gru_is_drawn_from_the_seed():
    sizes = {"vocab_size": 20, "hidden_size": 768, "num_hidden_layers": 1, "num_attention_heads": 1}
    model = pooled_encoder_class(BertForSequenceClassification)(
        BertConfig(**sizes, head_pooling="bigru-tokens")
    )
    drawn = []
    for seed in (1, 1, 2):
        initialize_head(model, seed)
        drawn.append(model.head.gru.weight_hh_l0.detach().clone())
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])
    assert drawn[0].abs().max() <= 512**-0.5 and drawn[0].std().item() == pytest.approx(
        (3 * 512) ** -0.5, rel=0.01
    )
    assert not model.head.out.bias.any()


def test_a_pooling_that_the_encoder_cannot_give_is_refused():
    sizes = {"vocab_size": 20, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    made_of = pooled_encoder_class(RobertaForSequenceClassification)
    with pytest.raises(
        ValueError, match=r"last3\+pooler needs an encoder with a pooler.*write mean or last3$"
    ):
        made_of(RobertaConfig(**sizes, head_pooling="last3+pooler"))
    with pytest.raises(ValueError, match="last3 needs more layers than 1; write mean$"):
        made_of(RobertaConfig(**sizes, head_pooling="last3"))
    model = made_of(RobertaConfig(**sizes, head_pooling="mean"))
    assert model(torch.tensor([[1, 2]]), torch.tensor([[1, 1]])).logits.shape == (1, 2)
    assert [name for name, _ in model.named_children()] == ["roberta", "head"]


# Trainings.


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return made.made_base(tmp_path_factory.mktemp("bases") / "encoder", "encoder")


@pytest.fixture(scope="module")
def train(tmp_path_factory):
    return made.made_posts(tmp_path_factory.mktemp("clean") / "moods" / "train.parquet")


def run(spec, base, train, folder, name="out"):
    finetune.main(made.training_words(spec, base, train, folder, name))
    return folder / name


def weights(folder):
    return (folder / "model.safetensors").read_bytes()


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_head_learns_is_saved_predicted_with_and_built_on(tmp_path, base, train, pooling):
    spec = made.finetune_spec("encoder", pooling=pooling, epochs=6, dropout=0.1)
    first, again = (run(spec, base, train, tmp_path, name) for name in ("first", "again"))
    assert weights(first) == weights(again)
    facts = json.loads((first / "config.json").read_text())
    assert facts["head_pooling"] == pooling and facts["architectures"] == [
        "PooledBertForSequenceClassification"
    ]
    assert {path.suffix for path in first.iterdir()} == {".json", ".safetensors"}
    names = load_file(first / "model.safetensors")
    assert "head.out.weight" in names and not any(name.startswith("classifier") for name in names)
    assert ("bert.pooler.dense.weight" in names) == pooling.endswith("pooler")
    found = made.predicted(made.predict_spec("encoder"), first, train, tmp_path / "p.parquet")
    assert (found["label"] == read_posts(train)["label"]).all()

    still = {"lr": 0.0, "epochs": 1, "weight_decay": 0.0}
    assert weights(run(spec | still, first, train, tmp_path, "kept")) == weights(first)
    plain = run(made.finetune_spec("encoder", **still), first, train, tmp_path, "plain")
    assert "head_pooling" not in json.loads((plain / "config.json").read_text())
    assert type(load_model(plain, "encoder")) is BertForSequenceClassification


def test_a_folder_that_names_the_class_of_transformers_is_loaded_alike(tmp_path, base, train):
    """Folders that an older version wrote name that class."""
    folder = run(
        made.finetune_spec("encoder", pooling="last3", epochs=1), base, train, tmp_path, "now"
    )
    older = shutil.copytree(folder, tmp_path / "older")
    text = (older / "config.json").read_text()
    assert "PooledBertForSequenceClassification" in text
    (older / "config.json").write_text(text.replace("PooledBert", "Bert"))
    found = []
    for model in (folder, older):
        out = tmp_path / f"{model.name}.parquet"
        made.predicted(made.predict_spec("encoder"), model, train, out)
        found.append(out.read_bytes())
    assert found[0] == found[1]


def test_a_head_of_another_pooling_is_new_and_the_body_stays(tmp_path, base, train):
    still = {"lr": 0.0, "epochs": 1, "weight_decay": 0.0}
    first = run(
        made.finetune_spec("encoder", pooling="last3", epochs=1), base, train, tmp_path, "first"
    )
    other = run(
        made.finetune_spec("encoder", pooling="last2+pooler", **still),
        first,
        train,
        tmp_path,
        "other",
    )
    before, after = load_file(first / "model.safetensors"), load_file(other / "model.safetensors")
    assert not torch.equal(before["head.out.weight"], after["head.out.weight"])  # both 3 H wide
    body = [name for name in before if name.startswith("bert.")]
    assert body and all(torch.equal(before[name], after[name]) for name in body)


def test_pooler_is_the_head_that_an_encoder_has(tmp_path, base, train):
    spec = made.finetune_spec("encoder", epochs=1)
    silent = run(spec, base, train, tmp_path, "silent")
    told = run(spec | {"pooling": "pooler", "optimizer": "adamw"}, base, train, tmp_path, "told")
    assert weights(silent) == weights(told)


def test_an_unknown_value_is_refused(tmp_path, base, train):
    for key, value, known in (
        ("pooling", "max", "pooler or mean or"),
        ("optimizer", "sgd", "adamw or radam"),
    ):
        with pytest.raises(
            ValueError, match=f"node plain@seed=1: {key} {value} is unknown here; write {known}"
        ):
            run(made.finetune_spec("encoder", **{key: value}), base, train, tmp_path)


def test_a_resumed_training_gives_the_same_head(tmp_path, base, train, monkeypatch):
    """A checkpoint also contains a GRU under a cosine layer, and the state of RAdam."""
    head = {"pooling": "bigru-tokens", "head": "cosine", "s": 30, "optimizer": "radam"}
    spec = made.finetune_spec("encoder", epochs=2, checkpoint_steps=4, dropout=0.1, **head)
    whole = run(spec, base, train, tmp_path, "whole")
    assert isinstance(load_model(whole, "encoder").head.out, CosineLayer)
    step, begun = trainer.PostTrainer.compute_loss, []

    def killed(self, *args, **options):
        begun.append(1)
        if len(begun) == 10:
            raise KeyboardInterrupt
        return step(self, *args, **options)

    monkeypatch.setattr(trainer.PostTrainer, "compute_loss", killed)
    with pytest.raises(KeyboardInterrupt):
        run(spec, base, train, tmp_path)
    out = run(spec, base, train, tmp_path)
    assert json.loads((out / "timing.json").read_text())["resumed"] == "checkpoint-8"
    assert weights(out) == weights(whole)


# RAdam.


def test_radam_by_the_papers_algorithm():
    """Algorithm 2 of Liu et al. 2020: plain momentum while rho <= 5: the first five steps."""
    lr, decay, one, two = 0.1, 0.5, 0.9, 0.999
    made_by, options = trainer.optimizer_class("radam", lr)
    weight = torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float64))
    optimizer = made_by([{"params": [weight], "weight_decay": decay}], **options)
    assert trainer.optimizer_class("adamw", lr) is None
    expected, mean, square, endless, rectified = 1.0, 0.0, 0.0, 2 / (1 - two) - 1, []
    for t, gradient in enumerate([4.0, -1.0, 2.0, 0.5, 3.0, -2.0, 1.0, 0.25], 1):
        weight.grad = torch.tensor([gradient], dtype=torch.float64)
        optimizer.step()
        mean, square = one * mean + (1 - one) * gradient, two * square + (1 - two) * gradient**2
        rho = endless - 2 * t * two**t / (1 - two**t)
        expected *= 1 - lr * decay
        step = mean / (1 - one**t)
        if rho > 5:
            rectified.append(t)
            scale = (rho - 4) * (rho - 2) * endless / ((endless - 4) * (endless - 2) * rho)
            step *= np.sqrt(scale * (1 - two**t) / square)
        expected -= lr * step
        assert weight.item() == pytest.approx(expected, rel=1e-6), t
    assert rectified == [6, 7, 8]


def test_radam_takes_other_steps_than_adamw(tmp_path, base, train):
    spec = made.finetune_spec("encoder", epochs=1)
    one, two = (
        run(spec | {"optimizer": "radam"}, base, train, tmp_path, name) for name in ("one", "two")
    )
    assert weights(one) == weights(two) != weights(run(spec, base, train, tmp_path, "adamw"))
