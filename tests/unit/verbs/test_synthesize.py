"""A node of the verb synthesize in a graph: what it reads, its spec, and what is refused."""

import json

import draw_recipe
import pytest
import yaml
from broken import GPT, put
from study_files import write_config

from postgrad.config.errors import ConfigError
from postgrad.study.specs import node_spec
from postgrad.study.study import Study

# -- the node in a graph
# -----------------------------------------------------------------------------


MADE = {
    "synthesize": "rain/train",
    "writers": ["gpt4"],
    "prompt": "ask",
    "classes": ["yes"],
    "count": 4,
    "per_call": 2,
    "calls": 5,
    "shots": {"own": 1, "other": 1},
    "temperature": 0.0,
    "seed": 1,
}
ASK = {
    "system": "You write.",
    "user": "{labels} Write {number} {posts} of {label}:\n\n{other}\n\n{own}",
}


def study_in(folder, made=None, prompt=None, writer="deputy", beside=None, config=None, **changes):
    """The small study with a node that language models write; made, prompt: what is other there."""

    def recipe(content):
        content["datasets"] |= {"made": MADE | (made or {}), **(beside or {})}
        content["models"]["plain"]["data"] = ["rain/train", "made"]

    def bases(content):
        content |= {"deputy": {"kind": "stand-in"}, "gpt4": GPT}

    root = write_config(
        folder, recipe=recipe, bases=bases, scale=put("bases.gpt4", {"model": writer}), **changes
    )
    (root / "prompts").mkdir(exist_ok=True)
    (root / "prompts/ask.yaml").write_text(yaml.safe_dump(ASK | (prompt or {})))
    return Study({"study": "test", "check_data": False, **(config or {})}, root=root)


def test_a_node_reads_train_and_its_spec_holds_all_that_decides(tmp_path):
    study = study_in(tmp_path)
    graph = study.graphs["small"]
    node = graph.nodes["made"]
    assert node.sources == ["rain/train"] and node.learnt == ("rain/train",) and node.task == "rain"
    assert json.loads(node_spec(study, "small", "made")) == {
        **{
            key: MADE[key] for key in ("count", "per_call", "calls", "shots", "temperature", "seed")
        },
        "node": "made",
        "classes": [1],
        "labels": [{"name": "no"}, {"name": "yes"}],
        "platform": "twitter",
        "asked": [{"base": "deputy", "kind": "stand-in"}],
        "prompt": ASK,
    }
    assert graph.nodes["plain@seed=1"].sources == ["rain/train", "made"]


def test_a_changed_prompt_changes_the_spec_and_nothing_of_how_a_model_is_reached_does(tmp_path):
    leave = {
        "task": put("endpoints", True),
        "study": put("endpoints", {"requests": 10, "tokens": 1000}),
    }
    one = node_spec(study_in(tmp_path / "one", writer="gpt4", **leave), "small", "made")
    assert (
        node_spec(
            study_in(tmp_path / "two", writer="gpt4", prompt={"system": "Go."}, **leave),
            "small",
            "made",
        )
        != one
    )
    leave["study"] = put("endpoints", {"requests": 99, "tokens": 9999})
    assert node_spec(study_in(tmp_path / "three", writer="gpt4", **leave), "small", "made") == one


def test_without_a_writer_the_node_and_what_stands_on_it_are_not_run(tmp_path):
    not_run = study_in(tmp_path, writer=None).graphs["small"].not_run
    assert not_run["made"] == "scale here has no model in the place of gpt4"
    assert not_run["plain"] == "needs made, which is not run"


@pytest.mark.parametrize(
    "made, place, sentence",
    [
        ({"synthesize": "rain/dev"}, "datasets.made.synthesize", "rain/dev is a dev set"),
        ({"synthesize": "rain/test"}, "datasets.made.synthesize", "rain/test is a test set"),
        (
            {"synthesize": "rain/unlabeled"},
            "datasets.made.synthesize",
            "rain/unlabeled has no labels to learn",
        ),
        (
            {"synthesize": "filled"},
            "datasets.made.synthesize",
            "'filled' is made by augment; name a split",
        ),
        ({"classes": ["maybe"]}, "datasets.made.classes", "there is no label 'maybe'"),
        (
            {"calls": 1},
            "datasets.made.calls",
            "1 calls of 2 posts to each of 1 writers cannot give 4",
        ),
        (
            {"writers": ["gpt5"]},
            "datasets.made.writers",
            "there is no base 'gpt5'; did you mean 'gpt4'?",
        ),
        ({"prompt": "asks"}, "datasets.made.prompt", "did you mean 'ask'?"),
        ({"attributes": {"mood": ["glad"]}}, "datasets.made.attributes", "{attributes}"),
        ({"shots": {"own": 1}}, "datasets.made.shots", "the key 'other' is missing"),
        ({"temperature": "high"}, "datasets.made.temperature", "expected a number"),
    ],
)
def test_faults(tmp_path, made, place, sentence):
    with pytest.raises(ConfigError) as fault:
        study_in(tmp_path, made)
    assert any(place in one and sentence in one for one in fault.value.sentences), (
        fault.value.sentences
    )


@pytest.mark.parametrize("user, sentence", [
    ("{number} {own} {text}", "synthesize fills in no {text}"),
    ("{own}", "{number} is missing"),
])  # fmt: skip
def test_a_prompt_of_wrong_fields_is_refused(tmp_path, user, sentence):
    with pytest.raises(ConfigError) as fault:
        study_in(tmp_path, prompt={"user": user})
    assert any("prompts/ask.yaml" in one and sentence in one for one in fault.value.sentences), (
        fault.value.sentences
    )


def test_a_task_whose_posts_have_keywords_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="datasets.made: the posts of rain have a keyword each"):
        study_in(tmp_path, task=put("splits.train.columns.keyword", "keyword"))


def test_posts_go_to_an_endpoint_only_with_leave(tmp_path):
    with pytest.raises(
        ConfigError,
        match="datasets.made.writers: gpt4 is an endpoint, and no post of rain goes to one",
    ):
        study_in(tmp_path, writer="gpt4")


def test_a_model_in_a_folder_draws_no_words(tmp_path):
    with pytest.raises(ConfigError, match="datasets.made.temperature: tiny is a model in a folder"):
        study_in(tmp_path, {"temperature": 0.7}, writer="tiny")


def test_posts_written_after_what_a_fold_holds_out_mark_the_held_out_scores(tmp_path):
    """Examples come from all of train, those of the fold too, and a written post has no parent to
    leave out by.
    """
    beside = {"pooled": {"fold": ["rain/train"], "k": 3, "seed": 1}}
    study = study_in(tmp_path, beside=beside)
    path = study.root / "recipes/small.yaml"
    content = yaml.safe_load(path.read_text())
    content["models"]["plain"]["data"] = ["pooled", "made"]
    path.write_text(yaml.safe_dump(content))
    graph = Study({"study": "test", "check_data": False}, root=study.root).graphs["small"]
    assert graph.nodes["plain@fold=2@seed=1"].fitted == ("rain/held-out",)


# -- the report
# --------------------------------------------------------------------------------------


def test_the_picture_draws_the_writer(tmp_path):
    graph = study_in(tmp_path).graphs["small"]
    picture = draw_recipe.svg(graph)
    assert "made: synthesize gpt4 (base),  rain/train" in picture
