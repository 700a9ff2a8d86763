"""texts: what duplicates share, and the form in which a model reads a post."""

import json

import made
import pandas as pd
import pytest

import finetune
from postgrad.corpus.text_forms import convert_texts, normalize_text
from postgrad.records.posts import write_posts
from postgrad.records.predictions import prediction_matrix


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Straße", "STRASSE", True),
        ("see https://t.co/a1 now", "see http://x.y/z now", True),
        ("@a_b hi", "@c hi", True),
        ("ask u/someone", "ask u/other", True),
        ("a\n b", "a b", True),
        ("I am 27", "I am 28", False),
        ("me@home", "me@work", False),
        ("a, b", "b, a", False),
    ],
)
def test_normalized(one, other, same):
    assert (normalize_text(one) == normalize_text(other)) is same


def test_as_read_leaves_links_out_and_masks_mentions():
    frame = pd.DataFrame(
        {"post_id": ["a", "b"], "text": ["So GLAD  @me https://t.co/x1 today", "calm"]}
    )
    assert convert_texts(frame, "normalized")["text"].tolist() == ["so glad @user today", "calm"]
    assert convert_texts(frame, "raw") is frame and convert_texts(frame, None) is frame


def test_input_normalized_holds_in_training_and_in_prediction(tmp_path):
    frame = made.posts(24)
    frame["text"] = [f"{text} https://t.co/{i} @Someone{i}" for i, text in enumerate(frame["text"])]
    write_posts(frame, tmp_path / "posts/train.parquet")
    write_posts(frame.assign(text=frame["text"].str.upper()), tmp_path / "loud/dev.parquet")
    base, said = made.made_base(tmp_path / "base", "linear"), tmp_path / "said.parquet"
    terms, logits = {}, {}
    for form in ("raw", "normalized"):
        out = tmp_path / form
        paths = {
            "base": base,
            "data": tmp_path / "posts/train.parquet",
            "work": tmp_path / f"{form}-work",
            "out": out,
        }
        finetune.main(made.arguments(made.linear_spec(input=form), **paths))
        terms[form] = json.loads((out / "vocabulary.json").read_text())["vocabulary"].keys()
        for data in ("posts/train", "loud/dev"):
            rows = made.predicted(
                made.predict_spec("linear", input=form), out, tmp_path / f"{data}.parquet", said
            )
            logits[form, data] = prediction_matrix(rows, "logits").tolist()
    assert {"https", "someone3"} <= terms["raw"] and "user" not in terms["raw"]
    assert "user" in terms["normalized"] and not {"https", "someone3"} & terms["normalized"]
    assert logits["normalized", "posts/train"] == logits["normalized", "loud/dev"]
