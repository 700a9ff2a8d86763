"""Tests of examples: only the answer of a prompt is a target."""

import made
import pandas as pd
import pytest

from postgrad.models.label_prompts import LabelPrompt
from postgrad.models.loading import load_tokenizer
from postgrad.models.tokenization import answer_examples, causal_batch


@pytest.fixture(scope="module")
def causal(tmp_path_factory):
    """Return the folder of a tiny causal model."""
    return made.made_base(tmp_path_factory.mktemp("base") / "causal", "causal")


def test_only_the_answer_is_a_target(causal):
    batch = causal_batch(
        [
            {"ids": [5, 6, 7, 8], "n_targets": 2, "label": 1},
            {"ids": [5, 9], "n_targets": 1, "label": 0},
        ],
        0,
    )
    assert batch["input_ids"].tolist() == [[5, 6, 7, 8], [5, 9, 0, 0]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 1], [1, 1, 0, 0]]
    assert batch["targets"].tolist() == [[-100, 7, 8, -100], [9, -100, -100, -100]]
    assert batch["labels"].tolist() == [1, 0]

    tokenizer = load_tokenizer(causal)
    prompt = LabelPrompt(tokenizer, made.PROMPT, ["no", "yes indeed"], 64)
    frame = made.posts(4)
    for example, post in zip(answer_examples(frame, prompt), frame.itertuples()):
        whole = tokenizer.decode(example["ids"])
        answer = tokenizer.decode(example["ids"][-example["n_targets"] :])
        word = " yes indeed" if post.label else " no"
        assert answer == word + tokenizer.eos_token
        keyword = "" if pd.isna(post.keyword) else post.keyword
        filled = made.PROMPT.replace("{keyword}", keyword).replace("{text}", post.text)
        assert whole.replace(": ", ":") == (filled + answer).replace(": ", ":")
