"""Tests of inference: scores of whole answers, and a dataset without posts."""

import made
import pytest
import torch

from postgrad.models import inference
from postgrad.models.label_prompts import LabelPrompt
from postgrad.models.loading import load_model, load_tokenizer
from postgrad.models.prediction import PredictOptions
from postgrad.records.options import read_options
from postgrad.records.posts import read_posts


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return made.labelled_models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def dev(tmp_path_factory):
    return made.made_posts(tmp_path_factory.mktemp("clean") / "moods" / "dev.parquet", n=30, seed=4)


@pytest.mark.parametrize("chat", [False, True])
def test_a_causal_model_gives_the_log_probability_of_each_whole_answer(models, dev, chat):
    tokenizer, model = (
        load_tokenizer(models / "causal"),
        load_model(models / "causal", "causal").eval(),
    )
    if chat:  # the post comes first: no prefix is shared
        tokenizer.chat_template = "{{ messages[0]['content'] + '\nassistant\n' }}"
    template = "{text} is that glad?" if chat else made.PROMPT
    prompt = LabelPrompt(tokenizer, template, ["no", "yes indeed"], 64)
    assert bool(prompt.prefix) != chat and len(prompt.answers[1]) > len(prompt.answers[0]) > 1
    frame = read_posts(dev)
    with torch.inference_mode():
        _, logits = inference.answer_scores(model, tokenizer, prompt, frame, 500, slice(None))
        for row, ids in zip(logits, prompt.encode_posts(frame)):
            for score, answer in zip(row, prompt.answers):
                whole = torch.tensor([prompt.prefix + ids + answer])
                words = model(whole).logits[0].log_softmax(dim=-1)
                start = whole.shape[1] - len(answer)
                expected = sum(words[start + i - 1, token].item() for i, token in enumerate(answer))
                assert score == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("kind", ["encoder", "causal"])
def test_a_dataset_without_posts_gives_no_rows(models, kind):
    options = read_options(PredictOptions, made.predict_spec(kind))
    rows, logits = inference.load_scorer(options, models / kind)(made.posts()[:0])
    assert len(rows) == 0 and logits.shape == (0, 2)
