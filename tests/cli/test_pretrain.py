"""The command pretrain: posts do not see each other, and an encoder keeps its pooler.

Masks depend on the post alone.

"""

import json

import made
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import finetune
import pretrain
from postgrad.models.loading import load_model, load_tokenizer
from postgrad.models.tokenization import (
    IGNORE_INDEX,
    MaskingCollator,
    causal_batch,
    maskable_examples,
    next_token_examples,
)
from postgrad.records.parquet_files import write_table
from postgrad.records.posts import DROPPED
from postgrad.training import pretraining


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bases")
    return {kind: made.made_base(folder / kind, kind) for kind in ("encoder", "causal")}


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    path = tmp_path_factory.mktemp("clean") / "moods" / "unlabeled.parquet"
    made.write_posts(made.posts(40).assign(label=None), path)
    return ["moods", "moods/unlabeled", path]


def last_line(folder, name):
    return json.loads(
        made.kept(folder / f"{name}-work", "progress.jsonl").read_text().splitlines()[-1]
    )


def test_a_post_teaches_its_own_tokens_and_the_end(bases):
    tokenizer = load_tokenizer(bases["causal"])
    examples = next_token_examples(["the rain", "", "the rain today made me glad"], tokenizer, 5)
    assert len(examples) == 2, "a post without text teaches nothing"
    ids = examples[0]["ids"]
    assert ids[-1] == tokenizer.eos_token_id and len(examples[1]["ids"]) == 5
    batch = causal_batch(examples, tokenizer.pad_token_id)
    assert batch["targets"][0].tolist() == ids[1:] + [IGNORE_INDEX] * (5 - len(ids) + 1)


def test_posts_never_see_each_other(bases):
    tokenizer, model = load_tokenizer(bases["causal"]), load_model(bases["causal"], "causal").eval()
    examples = next_token_examples(made.posts(6)["text"], tokenizer, 64)
    with torch.inference_mode():
        together = pretraining.next_token_loss(
            model, causal_batch(examples, tokenizer.pad_token_id)
        ).item()
        alone = [
            pretraining.next_token_loss(model, causal_batch([e], tokenizer.pad_token_id)).item()
            for e in examples
        ]
    tokens = [example["n_targets"] for example in examples]
    assert len(set(tokens)) > 2 and together == pytest.approx(
        np.average(alone, weights=tokens), abs=1e-5
    )


def test_masks_hide_the_right_share_and_depend_on_seed_epoch_and_post_alone(bases):
    tokenizer = load_tokenizer(bases["encoder"])
    examples = maskable_examples(["rain " * 60, "tea", "", "the bread " * 30], tokenizer, 64)
    assert [example["post"] for example in examples] == [0, 1, 3]
    masks = MaskingCollator(tokenizer, 0.15, seed=1)
    batch = masks(examples)
    hidden = batch["targets"] != IGNORE_INDEX
    assert hidden.sum(dim=1).tolist() == [round(0.15 * 60), 1, round(0.15 * 60)]
    rows = [example["ids"] for example in examples]
    for row, (ids, targets) in enumerate(zip(rows, batch["targets"])):
        for place in hidden[row].nonzero().flatten().tolist():
            assert targets[place] == ids[place] and ids[place] not in tokenizer.all_special_ids
    alone = masks([examples[2]])
    assert torch.equal(alone["input_ids"][0], batch["input_ids"][2])
    masks.set_epoch(1)
    assert not torch.equal(masks([examples[2]])["targets"], alone["targets"])

    many = maskable_examples(["rain tea snow " * 20] * 300, tokenizer, 64)
    batch = masks(many)
    hidden = batch["targets"] != IGNORE_INDEX
    shown = batch["input_ids"][hidden]
    masked = (shown == tokenizer.mask_token_id).float().mean().item()
    left = (shown == batch["targets"][hidden]).float().mean().item()
    assert masked == pytest.approx(0.8, abs=0.03) and left == pytest.approx(0.1, abs=0.03)


def test_the_masked_loss_is_that_of_the_whole_output(bases):
    tokenizer, model = load_tokenizer(bases["encoder"]), load_model(bases["encoder"], "mlm").eval()
    batch = MaskingCollator(tokenizer, 0.15, seed=1)(
        maskable_examples(made.posts(6)["text"], tokenizer, 64)
    )
    with torch.inference_mode():
        whole = model(batch["input_ids"], batch["attention_mask"]).logits
        expected = torch.nn.functional.cross_entropy(
            whole.flatten(0, 1), batch["targets"].flatten()
        )
        assert pretraining.masked_loss(model, batch).item() == pytest.approx(
            expected.item(), abs=1e-6
        )


def test_a_causal_model_reads_the_pool(tmp_path, bases, pool):
    spec = made.pretrain_spec("causal", epochs=12)
    for name in ("one", "two"):
        pretrain.main(made.training_words(spec, bases["causal"], pool, tmp_path, name))
    one, two = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "two"))
    assert all(torch.equal(one[name], two[name]) for name in one)
    facts = json.loads((tmp_path / "one" / "model.json").read_text())
    assert facts["labels"] is None and facts["rows"] == 40 and facts["kind"] == "causal"
    assert (tmp_path / "one" / "model.json").read_bytes() == (
        tmp_path / "two" / "model.json"
    ).read_bytes()
    assert last_line(tmp_path, "one")["loss"] < 3.0 < np.log(400)


def test_an_encoder_reads_the_pool_and_takes_a_head_afterwards(tmp_path, bases, pool):
    spec = made.pretrain_spec("encoder", epochs=1, rows=20, checkpoint_steps=2)
    done = made.script("pretrain", made.training_words(spec, bases["encoder"], pool, tmp_path))
    assert done.returncode == 0 and "cheerful" not in done.stderr, done.stderr
    before, after = (
        load_file(folder / "model.safetensors") for folder in (bases["encoder"], tmp_path / "out")
    )
    assert before.keys() == after.keys(), "a plain body, pooler and all"
    same = {name for name in before if torch.equal(before[name], after[name])}
    assert same == {"pooler.dense.weight", "pooler.dense.bias"}
    facts = json.loads((tmp_path / "out" / "model.json").read_text())
    assert facts["rows"] == 20 and facts["labels"] is None
    train = made.made_posts(tmp_path / "train.parquet")
    spec = made.finetune_spec("encoder", epochs=1, lr=0.0)
    finetune.main(
        made.arguments(
            spec, base=tmp_path / "out", data=train, work=tmp_path / "w", out=tmp_path / "tuned"
        )
    )
    tuned = load_file(tmp_path / "tuned" / "model.safetensors")
    assert all(torch.equal(tensor, tuned[f"bert.{name}"]) for name, tensor in after.items())


def test_a_stopped_run_resumes_to_the_same_weights(tmp_path, bases, pool, monkeypatch):
    spec = made.pretrain_spec("encoder", epochs=3, checkpoint_steps=5, dropout=0.1)
    pretrain.main(made.training_words(spec, bases["encoder"], pool, tmp_path, "whole"))
    steps = last_line(tmp_path, "whole")["of"]
    stop, loss = steps - 3, pretraining.masked_loss  # in the last epoch, between two checkpoints
    seen = []

    def stopping(model, inputs):
        seen.append(1)
        if len(seen) == stop:
            raise KeyboardInterrupt
        return loss(model, inputs)

    monkeypatch.setattr(pretraining, "masked_loss", stopping)
    with pytest.raises(KeyboardInterrupt):
        pretrain.main(made.training_words(spec, bases["encoder"], pool, tmp_path))
    assert not (tmp_path / "out").exists()
    monkeypatch.setattr(pretraining, "masked_loss", loss)
    pretrain.main(made.training_words(spec, bases["encoder"], pool, tmp_path))
    timing = json.loads((tmp_path / "out" / "timing.json").read_text())
    assert timing["resumed"] == f"checkpoint-{(stop - 1) // 5 * 5}"
    for name in ("model.safetensors", "model.json"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_bad_input_ends_in_one_sentence(tmp_path, bases, pool):
    spec = made.pretrain_spec("encoder")
    with pytest.raises(ValueError, match="is of kind causal"):
        pretrain.main(made.training_words(spec, bases["causal"], pool, tmp_path))
    empty = tmp_path / "empty.parquet"
    made.write_posts(made.posts(3).assign(text="", keyword=None), empty)
    with pytest.raises(ValueError, match="no post has any text"):
        pretrain.main(
            made.training_words(spec, bases["encoder"], ["moods", "empty", empty], tmp_path)
        )
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".*"))


def test_a_list_of_dropped_posts_holds_for_its_task_alone(tmp_path, bases):
    """The ids of two tasks may be the same; a post that one task drops stays in the other."""
    words = []
    for task, n in (("moods", 12), ("meals", 9)):
        posts, drop = tmp_path / task / "unlabeled.parquet", tmp_path / f"{task}.parquet"
        made.write_posts(made.posts(n), posts)
        dropped = made.posts(n).head(2 if task == "moods" else 3).assign(split="unlabeled")
        write_table(dropped.assign(reason="copy"), drop, DROPPED)
        words += ["--data", task, f"{task}/unlabeled", posts, "--drop", task, "audit", drop]
    spec = made.pretrain_spec("encoder", epochs=1)
    paths = {"base": bases["encoder"], "work": tmp_path / "work", "out": tmp_path / "out"}
    pretrain.main([*map(str, words), *made.arguments(spec, **paths)])
    assert json.loads((tmp_path / "out/model.json").read_text())["rows"] == 10 + 6
