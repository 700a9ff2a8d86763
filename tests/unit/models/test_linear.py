"""Tests of the linear baseline: unseen classes and class weights."""

import made

from postgrad.models import linear


def test_linear_of_three_classes_leaves_an_unseen_one_unlikely():
    labels = [{"name": name} for name in "abc"]
    model = linear.train_linear_classifier(
        ["red red", "red pen", "blue sea", "blue sky"],
        [0, 0, 2, 2],
        made.linear_options(labels=labels),
    )
    logits = linear.linear_logits(model, ["red", "blue"])
    assert logits.argmax(axis=1).tolist() == [0, 2] and (logits[:, 1] < -10).all()


def test_a_linear_model_takes_a_weight_for_each_class():
    texts, labels = ["red", "red", "red", "pen"], [0, 0, 1, 1]
    plain, heavy = (
        linear.linear_logits(
            linear.train_linear_classifier(
                texts, labels, made.linear_options(class_weights=weights)
            ),
            ["red"],
        )[0]
        for weights in ("none", [1, 9])
    )
    assert plain[1] < plain[0] and heavy[1] > heavy[0]
