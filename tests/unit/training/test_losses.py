"""Losses against hand-computed values and finite differences; trainings with each loss."""

import json
import math
from functools import partial

import made
import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import RobertaConfig, RobertaForSequenceClassification

import finetune
from postgrad.models.heads import CosineLayer, install_cosine_layer
from postgrad.models.inference import answer_scores
from postgrad.models.label_prompts import LabelPrompt
from postgrad.models.loading import load_model, load_tokenizer
from postgrad.models.tokenization import IGNORE_INDEX, answer_choice_batch, answer_examples
from postgrad.records.posts import read_posts
from postgrad.training import finetuning, losses, trainer
from postgrad.training.distributed import RankCollator, Ranks

ONES = torch.ones(2)
# Training posts a class: SMM4H-2024 Task 3 and 5, 2020 Task 5, 2022 Task 7 (11 % of 4,523), 2020
# Task 1.
COUNTS = {
    "outdoors": [1131, 160, 395, 114],
    "disorders": [5118, 2280],
    "defects": [773, 834, 13110],
    "violence": [4025, 498],
    "drugs": [55274, 145],
}
# What each loss reads, in both kinds of model.
READ = {
    "cross-entropy": {},
    "focal": {"gamma": 2},
    "ldam": {"max_m": 0.5},
    "logit-adjusted": {"tau": 1},
    "mm-ldam": {"max_m": 0.5, "mm_max_m": 0.5, "mm_gamma": 1.1},
}


def test_class_weights_and_losses_by_hand():
    assert losses.class_weights([6, 2, 0], "none").tolist() == [1, 1, 0]
    assert losses.class_weights([6, 2], "balanced").tolist() == pytest.approx([8 / 12, 8 / 4])
    given = losses.class_weights(
        [6, 2, 0], [1, 2, 9]
    )  # of eight posts the mean is 1, and the ratio is 2
    assert given.tolist() == pytest.approx([0.8, 1.6, 0])
    logits, labels = torch.tensor([[0.0, 0.0], [0.0, np.log(3.0)]]), torch.tensor([0, 1])
    # -log 1/2 with weight 2 and -log 3/4 with weight 1, over two posts
    expected = (2 * np.log(2) + np.log(4 / 3)) / 2
    assert losses.cross_entropy_loss(
        logits, labels, torch.tensor([2.0, 1.0])
    ).item() == pytest.approx(expected)
    # Answers of one and of two tokens over four words that are equally likely: log 4 a token,
    # summed per post.
    targets = torch.tensor([[1, IGNORE_INDEX], [2, 3]])
    loss = losses.answer_loss(torch.zeros(2, 2, 4), targets, labels, torch.tensor([2.0, 1.0]))
    assert loss.item() == pytest.approx((2 * np.log(4) + 2 * np.log(4)) / 2)


def test_margins_of_the_shared_tasks():
    expected = {
        "outdoors": [0.282, 0.459, 0.366, 0.5],
        "disorders": [0.408, 0.5],
        "defects": [0.5, 0.491, 0.246],
        "violence": [0.297, 0.5],
    }
    for task, values in expected.items():
        assert losses.ldam_margins(COUNTS[task], 0.5).tolist() == pytest.approx(values, abs=6e-4), (
            task
        )
    assert losses.ldam_margins([16, 1, 0, 81], 0.6).tolist() == pytest.approx([0.3, 0.6, 0, 0.2])


def test_deferred_weights_of_the_shared_tasks():
    expected = {"outdoors": [0.201, 1.352, 0.554, 1.893], "drugs": [0.029, 1.971]}
    for task, values in expected.items():
        assert losses.effective_number_weights(COUNTS[task]).tolist() == pytest.approx(
            values, abs=6e-4
        ), task
    assert losses.effective_number_weights([1, 1, 0]).tolist() == [1, 1, 0]
    # A class of one post weighs 1, one of two posts 1 / (1 + beta), which is nearly a half.
    one, two = losses.effective_number_weights([1, 2]).tolist()
    assert one / two == pytest.approx(1.9999) and one + two == pytest.approx(2)


def test_deferred_weights_keep_the_size_of_the_loss():
    """PyTorch's division by the sum of weights gives the same over the whole training set."""
    counts, random = [6, 2], torch.Generator().manual_seed(1)
    weights = losses.scaled_class_weights(losses.effective_number_weights(counts), counts)
    assert (weights * torch.tensor(counts)).sum().item() == pytest.approx(8)
    logits, labels = torch.randn(8, 2, generator=random), torch.tensor([0] * 6 + [1] * 2)
    expected = torch.nn.functional.cross_entropy(
        logits, labels, weight=losses.effective_number_weights(counts)
    )
    assert losses.cross_entropy_loss(logits, labels, weights).item() == pytest.approx(
        expected.item()
    )


def test_re_weighting_begins_with_a_whole_epoch():
    cases = {(0.8, 200): 160, (0.8, 3): 2, (0.29, 100): 29, (None, 3): math.inf}
    assert {case: losses.first_reweighted_epoch(*case) for case in cases} == cases
    options = made.finetune_options(drw=0.5, epochs=4)
    weighted = finetuning.EpochWeightedLoss(
        lambda model, inputs, weights: weights.tolist(), [3, 1], options
    )
    seen = []
    for epoch in range(4):
        weighted.set_epoch(epoch)
        seen.append(weighted(None, {"labels": torch.tensor([0])}))
    # One over 3 and 1 posts, of mean 1 over the four: 4 / 2 * (1 / 3, 1).
    assert seen[0] == seen[1] == [1, 1] and seen[2] == seen[3] == pytest.approx(
        [2 / 3, 2], abs=1e-3
    )


def test_focal_by_hand():
    logits, labels = torch.tensor([[0.0, 0.0], [0.0, math.log(3)]]), torch.tensor([0, 1])
    # p = 1/2 with weight 2 and p = 3/4 with weight 1: (1 - p)^2 is 1/4 and 1/16.
    expected = (2 * math.log(2) / 4 + math.log(4 / 3) / 16) / 2
    weights = torch.tensor([2.0, 1.0])
    assert losses.focal_loss(logits, labels, weights, 2.0).item() == pytest.approx(expected)
    assert losses.focal_loss(logits, labels, weights, 0.0) == losses.cross_entropy_loss(
        logits, labels, weights
    )
    sure = torch.tensor([[100.0, 0.0]], requires_grad=True)
    losses.focal_loss(sure, labels[:1], weights, 0.5).backward()
    assert sure.grad.abs().max() < 1e-6, "the gradient is finite for a post that is surely right"


def test_ldam_by_hand():
    margins = losses.ldam_margins([16, 1], 0.5)  # 1/4 and 1/2
    logits = torch.zeros(2, 2)
    expected = [math.log(1 + math.exp(m)) for m in (0.25, 0.5)]
    for label in (0, 1):
        one = losses.ldam_loss(logits[:1], torch.tensor([label]), ONES, margins)
        assert one.item() == pytest.approx(expected[label])
    both = losses.ldam_loss(logits, torch.tensor([0, 1]), torch.tensor([1.0, 3.0]), margins)
    assert both.item() == pytest.approx((expected[0] + 3 * expected[1]) / 2)
    # Cosines 0.6 and 0.8 times 30: 30 * (0.6 - 0.25) against 30 * 0.8.
    cosine = losses.ldam_loss(
        torch.tensor([[18.0, 24.0]]), torch.tensor([0]), ONES, margins, s=30.0
    )
    assert cosine.item() == pytest.approx(math.log(1 + math.exp(24 - 10.5)))


def test_mm_ldam_by_hand_on_mixed_labels():
    """The published code reads row 1's gold logit at row 0's label, and 0 as row 2's rival."""
    margins = losses.ldam_margins([16, 1], 0.5)  # room M = 0.5 - margin: 1/4 and 0
    cosines = torch.tensor([[0.8, 0.2], [0.8, 0.2], [-0.1, -0.5], [-0.5, -0.1], [0.3, 0.3]])
    labels = torch.tensor([0, 1, 0, 0, 1])
    # right by 0.6; wrong by 0.6, rare class; right by 0.4 with a negative competitor; wrong by 0.4;
    # a tie
    extra = [
        math.exp(-0.6 - 2 / 4),
        math.exp(-0.6),
        math.exp(-0.4 - 2 / 4),
        math.exp(-0.4 - 1 / 4),
        0,
    ]
    found = losses.moving_margins(cosines, labels, 0.5 - margins[labels], 2.0)
    assert found.tolist() == pytest.approx(extra)
    for order in (range(5), [1, 4, 3, 0, 2]):  # no margin depends on which post is first
        order = list(order)
        room = 0.5 - margins[labels[order]]
        found = losses.moving_margins(cosines[order], labels[order], room, 2.0)
        assert found.tolist() == pytest.approx([extra[i] for i in order])
    ahead = [0.6, -0.6, 0.4, -0.4, 0.0]  # gold cosine less the other
    for s in (1.0, 30.0):
        expected = np.mean([math.log1p(math.exp(-s * (d - m))) for d, m in zip(ahead, extra)])
        found = losses.mm_ldam_loss(s * cosines, labels, ONES, margins, 0.5, 2.0, s)
        assert found.item() == pytest.approx(expected)
    three = torch.tensor([[-0.3, -0.9, -0.7]])  # the nearest of two negative competitors
    found = losses.moving_margins(three, torch.tensor([0]), torch.tensor([0.0]), 2.0)
    assert found.item() == pytest.approx(math.exp(-0.4))


def test_logit_adjusted_by_hand():
    log_priors = losses.class_log_priors([3, 1])
    logits = torch.zeros(1, 2)
    for label, expected in ((0, math.log(4 / 3)), (1, math.log(4))):
        found = losses.logit_adjusted_loss(logits, torch.tensor([label]), ONES, log_priors, 1.0)
        assert found.item() == pytest.approx(expected)
    # tau 2: shares of 9 and 1
    assert losses.logit_adjusted_loss(
        logits, torch.tensor([1]), ONES, log_priors, 2.0
    ).item() == pytest.approx(math.log(10))
    # After subtracting the priors the loss is plain cross-entropy: Menon's two forms agree.
    z = torch.tensor([[0.3, -0.2]])
    adjusted = losses.logit_adjusted_loss(z - log_priors, torch.tensor([1]), ONES, log_priors, 1.0)
    assert adjusted.item() == pytest.approx(
        losses.cross_entropy_loss(z, torch.tensor([1]), ONES).item()
    )
    assert torch.isfinite(losses.class_log_priors([3, 0])).all()


@pytest.mark.parametrize("s", [1.0, 30.0])
@pytest.mark.parametrize("name", READ)
def test_gradients_are_those_of_finite_differences(name, s):
    random = torch.Generator().manual_seed(2)
    cosines = torch.rand(6, 3, generator=random, dtype=torch.float64) * 2 - 1
    logits, labels = (s * cosines).requires_grad_(), torch.tensor([0, 1, 2, 2, 1, 0])
    weights = torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64)
    counts = [81, 16, 1]
    loss = losses.loss_function(made.finetune_options(loss=name, s=s, **READ[name]), counts)
    if name == "mm-ldam":  # no gradient flows through its margins, so they are constants here
        room = 0.5 - losses.ldam_margins(counts, 0.5).double()[labels]
        still = s * losses.moving_margins(cosines, labels, room, 1.1)
        assert torch.autograd.gradcheck(
            lambda z: losses.cross_entropy_loss(
                losses.subtract_margins(z, labels, still), labels, weights
            ),
            logits,
        )
        expected = losses.cross_entropy_loss(
            losses.subtract_margins(logits, labels, still), labels, weights
        )
        grads = [
            torch.autograd.grad(value, logits)[0]
            for value in (expected, loss(logits, labels, weights))
        ]
        torch.testing.assert_close(*grads)
    else:
        assert torch.autograd.gradcheck(lambda z: loss(z, labels, weights), logits)


# The cosine head.


def test_cosine_head_by_hand():
    linear = torch.nn.Linear(2, 2)
    linear.weight.data = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    head = CosineLayer(linear, 10.0)
    assert head(torch.tensor([[3.0, 4.0]])).tolist() == [pytest.approx([6, 8])]
    assert [name for name, _ in head.named_parameters()] == ["weight"]
    with torch.autocast("cpu", torch.bfloat16):
        assert head(torch.tensor([[3.0, 4.0]], dtype=torch.bfloat16)).tolist() == [
            pytest.approx([6, 8])
        ]


def test_a_head_of_two_layers_keeps_its_first():
    """RoBERTa and BERTweet have such heads."""
    config = RobertaConfig(
        vocab_size=20,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=8,
        num_labels=3,
        cosine_s=30.0,
    )
    model = install_cosine_layer(RobertaForSequenceClassification(config))
    assert isinstance(model.classifier.out_proj, CosineLayer) and not isinstance(
        model.classifier.dense, CosineLayer
    )
    assert model(torch.tensor([[1, 2]])).logits.shape == (1, 3)


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bases")
    return {kind: made.made_base(folder / kind, kind) for kind in ("encoder", "causal")}


@pytest.fixture(scope="module")
def train(tmp_path_factory):
    return made.made_posts(tmp_path_factory.mktemp("clean") / "moods" / "train.parquet")


def run(spec, base, train, folder, name="out"):
    finetune.main(made.training_words(spec, base, train, folder, name))
    return folder / name


def predicted(kind, model, posts, out):
    return made.predicted(made.predict_spec(kind), model, posts, out)


def test_a_cosine_head_is_saved_predicted_with_and_built_on(tmp_path, bases, train):
    spec = made.finetune_spec("encoder", loss="ldam", max_m=0.5, head="cosine", s=30, epochs=6)
    first = run(spec, bases["encoder"], train, tmp_path, "first")
    assert json.loads((first / "config.json").read_text())["cosine_s"] == 30
    assert {path.suffix for path in first.iterdir()} == {".json", ".safetensors"}
    names = load_file(first / "model.safetensors")
    assert "classifier.weight" in names and "classifier.bias" not in names
    found = predicted("encoder", first, train, tmp_path / "p.parquet")
    logits = np.stack(found["logits"])
    assert (found["label"] == read_posts(train)["label"]).all() and 1 < np.abs(
        logits
    ).max() <= 30 + 1e-4

    still = {"lr": 0.0, "epochs": 1, "weight_decay": 0.0}
    kept = run(spec | still, first, train, tmp_path, "kept")
    assert (kept / "model.safetensors").read_bytes() == (first / "model.safetensors").read_bytes()
    other = [{"name": "third"}, *made.LABELS]
    wider = run(spec | still | {"labels": other}, first, train, tmp_path, "wider")
    assert load_file(wider / "model.safetensors")["classifier.weight"].shape == (3, 32)
    # A linear head on it is new, and its config says nothing of a scale.
    plain = run(made.finetune_spec("encoder", **still), first, train, tmp_path, "plain")
    before, after = load_file(first / "model.safetensors"), load_file(plain / "model.safetensors")
    assert (
        not torch.equal(before["classifier.weight"], after["classifier.weight"])
        and "classifier.bias" in after
    )
    assert "cosine_s" not in json.loads((plain / "config.json").read_text())
    assert isinstance(load_model(wider, "encoder").classifier, CosineLayer)
    assert type(load_model(plain, "encoder").classifier) is torch.nn.Linear


# Trainings.


@pytest.mark.parametrize("kind", ["encoder", "causal"])
@pytest.mark.parametrize("name", [name for name in READ if name != "cross-entropy"])
def test_each_loss_trains(tmp_path, bases, train, name, kind):
    epochs = 6 if kind == "encoder" else 12
    options = READ[name] | (
        {"head": "cosine", "s": 30} if name == "mm-ldam" and kind == "encoder" else {}
    )
    spec = made.finetune_spec(kind, loss=name, epochs=epochs, drw=0.5, **options)
    out = run(spec, bases[kind], train, tmp_path)
    assert (
        predicted(kind, out, train, tmp_path / "p.parquet")["label"] == read_posts(train)["label"]
    ).all()


def test_the_label_logits_of_a_training_are_those_of_a_prediction(bases, train):
    """Posts and answers have several lengths; each post is read once for each answer."""
    tokenizer, frame = load_tokenizer(bases["causal"]), read_posts(train)[:6]
    model = load_model(bases["causal"], "causal").eval()
    prompt = LabelPrompt(tokenizer, made.PROMPT, ["no", "yes indeed"], 64)
    assert len({len(answer) for answer in prompt.answers}) == 2
    batch = answer_choice_batch(
        answer_examples(frame, prompt), prompt.answers, tokenizer.pad_token_id
    )
    longest = (
        len(prompt.prefix)
        + max(map(len, prompt.encode_posts(frame)))
        + max(map(len, prompt.answers))
    )
    assert batch["input_ids"].shape == batch["targets"].shape == (6, 2, longest)
    with torch.inference_mode():
        found = finetuning.answer_logits(model, batch)
        _, expected = answer_scores(model, tokenizer, prompt, frame, 256, slice(None))
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-4)
    assert batch["labels"].tolist() == frame["label"].tolist()


def test_ranks_share_the_posts_of_a_batch_and_keep_their_answers_together(bases, train):
    tokenizer = load_tokenizer(bases["causal"])
    prompt = LabelPrompt(tokenizer, made.PROMPT, ["no", "yes indeed"], 64)
    examples, collate = (
        answer_examples(read_posts(train)[:5], prompt),
        partial(answer_choice_batch, answers=prompt.answers, fill=0),
    )
    whole = collate(examples)
    parts = [RankCollator(collate, Ranks(rank, 2))(examples) for rank in range(2)]
    assert [part["labels"].tolist() for part in parts] == [[0, 0, 0], [1, 1]]
    assert torch.equal(parts[1]["input_ids"], whole["input_ids"][1::2])
    assert [part["weight"] for part in parts] == pytest.approx([2 * 3 / 5, 2 * 2 / 5])


def test_re_weighting_begins_when_a_training_reaches_it(tmp_path, bases, train, monkeypatch):
    """It begins in the epoch that `drw` gives, also if the run resumes a checkpoint."""
    seen, loss, last = [], finetuning.label_loss, [5]

    def told(model, inputs, weights, **options):
        if len(seen) in last:
            last.clear()
            raise KeyboardInterrupt
        seen.append(weights.tolist())
        return loss(model, inputs, weights, **options)

    monkeypatch.setattr(finetuning, "label_loss", told)
    frame = made.posts(16)
    made.write_posts(
        frame[(frame["label"] == 0) | (frame.index < 8)], tmp_path / "skewed.parquet"
    )  # 8 and 4 posts
    spec = made.finetune_spec("encoder", epochs=4, drw=0.5, checkpoint_steps=3)
    late = pytest.approx([0.75, 1.5], abs=1e-3)
    for stop, steps in (
        (5, [[1, 1]] * 3 + [late] * 6),
        (8, [late] * 6),
        (99, [[1, 1]] * 6 + [late] * 6),
    ):
        last[:], folder = [stop], tmp_path / str(stop)
        folder.mkdir()
        if stop < 12:  # three steps an epoch, and a checkpoint after each
            with pytest.raises(KeyboardInterrupt):
                run(spec, bases["encoder"], tmp_path / "skewed.parquet", folder)
            seen.clear()
        run(spec, bases["encoder"], tmp_path / "skewed.parquet", folder)
        assert seen == steps
        seen.clear()


# Collapsed trainings.


def decide_collapses(monkeypatch, found):
    """Let trainings collapse or not, in this order; return the list of the seeds looked at."""
    looked, found = [], iter(found)

    def told(model, examples, collate, logits_of, options, among):
        looked.append(options.seed)
        return next(found)

    monkeypatch.setattr(finetuning, "is_collapsed", told)
    return looked


@pytest.mark.parametrize("kind", ["encoder", "causal"])
def test_a_collapsed_model_is_found_at_the_end_of_its_training(tmp_path, bases, train, kind):
    """A learning rate of 1 makes the model collapse."""
    spec = made.finetune_spec(kind, restarts=0, epochs=6 if kind == "encoder" else 12)
    sound = json.loads(
        (run(spec, bases[kind], train, tmp_path, "sound") / "model.json").read_text()
    )
    assert (sound["seed"], sound["collapsed"]) == (1, [])
    out = run(spec | {"lr": 1.0, "epochs": 1}, bases[kind], train, tmp_path, "thrown")
    thrown = json.loads((out / "model.json").read_text())
    assert (thrown["seed"], thrown["collapsed"]) == (1, [1])
    assert predicted(kind, out, train, tmp_path / "p.parquet")["label"].nunique() == 1
    one = made.posts(12).assign(label=1)
    made.write_posts(one, tmp_path / "one.parquet")
    same = run(spec | {"epochs": 1}, bases[kind], tmp_path / "one.parquet", tmp_path, "same")
    assert json.loads((same / "model.json").read_text())["collapsed"] == [], (
        "training posts of one class are no collapse"
    )
    silent = {key: value for key, value in spec.items() if key != "restarts"} | {"epochs": 1}
    assert "collapsed" not in json.loads(
        (run(silent, bases[kind], train, tmp_path, "silent") / "model.json").read_text()
    )


def test_a_collapsed_training_starts_again_with_another_seed(
    tmp_path, bases, train, monkeypatch, capfd
):
    spec = made.finetune_spec("encoder", epochs=1)
    looked = decide_collapses(monkeypatch, [True, False])
    out = run(spec | {"restarts": 2}, bases["encoder"], train, tmp_path)
    facts = json.loads((out / "model.json").read_text())
    assert (
        looked == [1, 1001]
        and (facts["seed"], facts["collapsed"]) == (1001, [1])
        and facts["spec"]["seed"] == 1
    )
    assert (
        "the model of seed 1 predicts one class for all training posts; "
        "training starts again with seed 1001" in capfd.readouterr().err
    )
    other = run(spec | {"seed": 1001}, bases["encoder"], train, tmp_path, "other")
    assert (out / "model.safetensors").read_bytes() == (other / "model.safetensors").read_bytes()

    looked = decide_collapses(monkeypatch, [True] * 3)
    out = run(spec | {"restarts": 2, "seed": 5}, bases["encoder"], train, tmp_path, "lost")
    facts = json.loads((out / "model.json").read_text())
    assert looked == [5, 1005, 2005] and (facts["seed"], facts["collapsed"]) == (
        2005,
        [5, 1005, 2005],
    )


def test_a_run_that_was_killed_after_a_collapse_does_not_train_the_old_seed_again(
    tmp_path, bases, train, monkeypatch
):
    head = {
        "loss": "ldam",
        "max_m": 0.5,
        "head": "cosine",
        "s": 30,
    }  # which a checkpoint holds as well
    spec = made.finetune_spec(
        "encoder", epochs=2, restarts=2, checkpoint_steps=4, dropout=0.1, **head
    )
    step, begun = trainer.PostTrainer.compute_loss, []
    decide_collapses(monkeypatch, [True, False])
    whole = run(spec, bases["encoder"], train, tmp_path, "whole")

    def killed(self, *args, **options):
        begun.append(self.args.seed)
        if len(begun) == 12 + 6:
            raise KeyboardInterrupt
        return step(self, *args, **options)

    monkeypatch.setattr(trainer.PostTrainer, "compute_loss", killed)
    looked = decide_collapses(monkeypatch, [True, False])
    with pytest.raises(KeyboardInterrupt):
        run(spec, bases["encoder"], train, tmp_path)
    assert begun == [1] * 12 + [1001] * 6 and looked == [1]
    out = run(spec, bases["encoder"], train, tmp_path)
    assert begun[18:] == [1001] * 8 and looked == [1, 1001], "from the checkpoint after step 4"
    for name in ("model.safetensors", "model.json"):
        assert (out / name).read_bytes() == (whole / name).read_bytes()
