"""A node of the verb resample in a graph.

The sequences of a published system, budgets, folds, and what is refused.
"""

import json

import pytest
from gold_posts import class_sizes, posts_of_classes
from study_files import write_config

from postgrad.augmentation.resampling import ResampleOptions, resample_posts
from postgrad.augmentation.shuffling import AugmentOptions, augment_posts
from postgrad.config.errors import ConfigError
from postgrad.records.options import read_options
from postgrad.records.posts import read_posts_without_dropped, write_posts
from postgrad.study.specs import node_spec
from postgrad.study.study import Study

SEQUENCES = {
    "T1": {
        "over": {"resample": "rain/train", "to": "largest"},
        "edited": {"augment": "rain/train", "copies": 3},
        "even": {"resample": ["over", "edited"], "to": "smallest"},
    },
    "T2": {
        "edited": {"augment": "rain/train", "copies": 3, "classes": ["no", "yes"]},
        "even": {"resample": ["rain/train", "edited"], "to": 11},
    },
    "T4": {
        "first": {"augment": "rain/train", "copies": 2, "classes": ["yes"]},
        "over": {"resample": ["rain/train", "first"], "to": "largest"},
        "second": {"augment": "over", "copies": 1},
        "even": {"resample": ["over", "second"], "to": "smallest"},
    },
}
COUNTS = {  # of no, mist and yes in each node, from 5, 12 and 4
    "T1": {"over": [12, 12, 12], "edited": [15, 36, 12], "even": [24, 24, 24]},
    "T2": {"edited": [15, 12], "even": [11, 11, 11]},
    "T4": {"first": [8], "over": [12, 12, 12], "second": [12, 12, 12], "even": [24, 24, 24]},
}


def study_in(folder, datasets, data, beside=None):
    def recipe(content):
        content["defaults"]["augment"] |= {
            "method": "edit",
            "edits": ["character", "contraction"],
            "rate": 0.1,
        }
        content["defaults"]["resample"] = {"seed": 1}
        content["datasets"] |= {name: dict(body) for name, body in datasets.items()}
        content["models"]["plain"]["data"] = data
        content["models"] |= beside or {}

    def task(content):
        content["labels"].insert(1, {"name": "mist", "value": "2", "word": "mist", "digit": "2"})

    root = write_config(folder, recipe=recipe, task=task)
    return Study({"study": "test", "check_data": False}, root=root)


@pytest.mark.parametrize("name", SEQUENCES)
def test_the_sequences_of_alex_are_recipes_with_exact_counts(tmp_path, name):
    """T1 oversamples, adds copies of the originals, undersamples.

    T2 and T4 make copies of some classes only.
    """
    study = study_in(tmp_path, SEQUENCES[name], ["even"])
    graph = study.graphs["small"]
    assert graph.nodes["plain@seed=1"].sources == ["even"] and graph.nodes["even"].learnt == (
        "rain/train",
    )
    write_posts(posts_of_classes(5, 12, 4), tmp_path / "rain-train.parquet")
    for node in (graph.nodes[id] for id in SEQUENCES[name]):
        frame = read_posts_without_dropped(
            [tmp_path / f"{source.replace('/', '-')}.parquet" for source in node.sources]
        )
        spec = json.loads(node_spec(study, "small", node.id))
        if node.verb == "augment":
            made, _ = augment_posts(frame, read_options(AugmentOptions, spec))
        else:
            made = resample_posts(frame, read_options(ResampleOptions, spec))
        assert class_sizes(made) == COUNTS[name][node.id] and made["post_id"].is_unique
        write_posts(made, tmp_path / f"{node.id}.parquet")
    assert set(made["parent"].dropna()) <= set(posts_of_classes(5, 12, 4)["post_id"])


EVEN = {"even": {"resample": ["rain/train", "filled"], "to": "largest"}}


@pytest.mark.parametrize(
    "datasets, data, place, sentence",
    [
        (
            EVEN,
            ["rain/train", "even"],
            "models.plain",
            "even is made by resample and holds the whole set; name it alone",
        ),
        (
            EVEN,
            ["even", "agreed"],
            "models.plain",
            "even is made by resample and holds the whole set; name it alone",
        ),
        (
            {**EVEN, "more": {"augment": ["even", "agreed"], "copies": 1}},
            ["even"],
            "datasets.more",
            "holds the whole set",
        ),
        (
            {**EVEN, "all": {"resample": ["even", "rain/train"], "to": 3}},
            ["all"],
            "datasets.all.resample",
            "even and rain/train both hold the posts of rain/train; name one",
        ),
        (
            {**EVEN, "all": {"resample": ["filled", "even"], "to": 3}},
            ["all"],
            "datasets.all.resample",
            "filled and even both hold the posts of filled; name one",
        ),
        (
            {"even": {"resample": "rain/dev", "to": 3}},
            ["even"],
            "datasets.even.resample",
            "rain/dev is a dev set",
        ),
        (
            {"even": {"resample": "rain/train", "to": "most"}},
            ["even"],
            "datasets.even.to",
            "as the largest class",
        ),
        (
            {"even": {"resample": "rain/train", "to": 0}},
            ["even"],
            "datasets.even.to",
            "at least 1, found 0",
        ),
        (
            {"even": {"resample": "rain/train"}},
            ["even"],
            "datasets.even",
            "resample needs to, the size of each class",
        ),
        (
            {**EVEN, "same": {"resample": "rain/train", "to": 3, "budget": "even"}},
            ["same"],
            "datasets.same",
            "to and budget both say how many",
        ),
        (
            {**EVEN, "more": {"augment": "rain/train", "fill": "largest", "budget": "even"}},
            ["even"],
            "datasets.more",
            "fill and budget both say how many",
        ),
        (
            {"some": {"augment": "rain/train", "copies": 1, "classes": ["maybe"]}},
            ["some"],
            "datasets.some.classes",
            "there is no label 'maybe'",
        ),
    ],
)
def test_faults(tmp_path, datasets, data, place, sentence):
    with pytest.raises(ConfigError) as fault:
        study_in(tmp_path, datasets, data)
    assert any(f"{place}" in one and sentence in one for one in fault.value.sentences), (
        fault.value.sentences
    )


def test_a_budget_is_joined_as_a_source_is(tmp_path):
    pooled = {"fold": ["rain/train"], "k": 3, "seed": 1}
    even = {"resample": ["pooled", "filled"], "to": "largest"}
    same = {"resample": "pooled", "budget": "even"}
    graph = study_in(tmp_path, {"pooled": pooled, "even": even, "same": same}, ["same"]).graphs[
        "small"
    ]
    made = graph.nodes["same@fold=2"]
    assert (made.sources, made.budget) == (
        ["pooled@fold=2"],
        "even@fold=2",
    ) and "to" not in made.options


def test_a_resample_of_folds_is_made_for_each_fold(tmp_path):
    pooled = {"fold": ["rain/train"], "k": 3, "seed": 1}
    datasets = {"pooled": pooled, "even": {"resample": ["pooled", "filled"], "to": "largest"}}
    graph = study_in(tmp_path, datasets, ["even"]).graphs["small"]
    assert graph.nodes["even@fold=2"].sources == ["pooled@fold=2", "filled"]
    model = graph.nodes["plain@fold=2@seed=1"]
    assert (
        model.sources == ["even@fold=2"] and model.folds == ("pooled@fold=2",) and not model.fitted
    )


def test_labels_taught_outside_the_folds_are_marked_through_a_resample(tmp_path):
    datasets = {
        "pooled": {"fold": ["rain/train"], "k": 3, "seed": 1},
        "drawn": {"resample": "agreed", "to": 3},
        "even": {"resample": ["pooled", "drawn"], "to": "largest"},
    }
    graph = study_in(tmp_path, datasets, ["even"]).graphs["small"]
    assert graph.nodes["plain@fold=2@seed=1"].fitted == ("rain/held-out",)
