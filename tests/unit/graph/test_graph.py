"""The recipe language.

Names become nodes, options resolve by level, axes join, faults are named.
"""

import json
import os
from itertools import combinations

import pytest
from study_files import write_config

from postgrad.config.errors import ConfigError
from postgrad.graph import queries
from postgrad.graph.defaults import VERBS_WITH_BASE, defaults_schema
from postgrad.graph.options import node_schema, option_schemas
from postgrad.study import specs
from postgrad.study.study import Study
from postgrad.verbs.registry import VERBS


def study_in(folder, config=None, **changes):
    return Study(
        {"study": "test", "check_data": False, **(config or {})},
        root=write_config(folder, **changes),
    )


def test_nodes_multiply_over_seeds_and_join_on_them(tmp_path):
    graph = study_in(tmp_path).graphs["small"]
    assert list(graph.ids["expert"]) == ["expert@seed=1", "expert@seed=2"]
    assert graph.nodes["again@seed=2"].base == "expert@seed=2"
    assert graph.nodes["expert@seed=2"].options["seed"] == 2


def test_a_scalar_replaces_a_default_axis(tmp_path):
    graph = study_in(tmp_path).graphs["small"]
    assert graph.ids["one"] == ["one"] and graph.nodes["one"].options["seed"] == 11
    assert graph.nodes["agreed"].members == ["one", "two"]


def test_a_vote_reduces_over_all_axes(tmp_path):
    graph = study_in(tmp_path).graphs["small"]
    assert graph.ids["together"] == ["together"]
    assert graph.nodes["together"].members == ["expert@seed=1", "expert@seed=2"]


def test_over_names_the_axes_that_a_vote_reduces(tmp_path):
    def two_rates(recipe):
        recipe["models"]["expert"]["each"] = {"lr": [1.0e-5, 2.0e-5]}
        recipe["predictors"]["together"]["over"] = ["seed"]

    graph = study_in(tmp_path, recipe=two_rates).graphs["small"]
    assert graph.ids["together"] == ["together@lr=1e-05", "together@lr=2e-05"]
    assert graph.nodes["together@lr=1e-05"].members == [
        "expert@lr=1e-05@seed=1",
        "expert@lr=1e-05@seed=2",
    ]


def test_axis_values_may_be_named(tmp_path):
    def named(recipe):
        recipe["models"]["plain"]["each"] = {"lr": {"low": 1.0e-6, "high": 1.0e-4}, "seed": [1]}

    graph = study_in(tmp_path, recipe=named).graphs["small"]
    assert graph.ids["plain"] == ["plain@lr=high@seed=1", "plain@lr=low@seed=1"]
    assert graph.nodes["plain@lr=high@seed=1"].options["lr"] == 1.0e-4


def test_the_later_level_wins(tmp_path):
    def lr_on_node(recipe):
        recipe["models"]["plain"]["lr"] = 3.0e-4

    graph = study_in(tmp_path, recipe=lr_on_node).graphs["small"]
    assert graph.nodes["expert@seed=1"].options["lr"] == 1.0e-3  # scale over defaults
    assert graph.nodes["plain@seed=1"].options["lr"] == 3.0e-4  # node over scale
    assert graph.nodes["expert@seed=1"].options["batch"] == 8  # defaults where the scale is silent


DEFAULT, BASE, HERE, OWN, PAPER = 1e-5, 2e-5, 3e-3, 4e-5, 5e-5  # a learning rate at each level


@pytest.mark.parametrize("mode", ["recommended", "faithful"])
@pytest.mark.parametrize(
    "levels", [levels for n in range(1, 6) for levels in combinations(range(5), n)]
)
def test_of_two_levels_the_later_wins(tmp_path, levels, mode):
    """Defaults of the verb, defaults for the base, scale, node, and `faithful` in mode faithful.

    All 31 ways.
    """

    def recipe(content):
        verb, node = content["defaults"]["finetune"], content["models"]["plain"]
        del verb["lr"]
        content["models"] = {"plain": node}
        for key in ("datasets", "predictors", "compare"):
            del content[key]
        content["score"] = {"plain": ["rain/dev"]}
        base = verb.setdefault("bases", {}).setdefault("big", {})
        faithful = node.setdefault("faithful", {})
        for level, where in ((0, verb), (1, base), (3, node), (4, faithful)):
            if level in levels:
                where["lr"] = (DEFAULT, BASE, HERE, OWN, PAPER)[level]

    def scale(content):
        content["bases"]["big"]["finetune"] = {"lr": HERE} if 2 in levels else {}

    there = [level for level in levels if level < 4 or mode == "faithful"]
    if not there:
        with pytest.raises(ConfigError, match="finetune needs lr"):
            study_in(tmp_path, {"mode": mode}, recipe=recipe, scale=scale)
        return
    graph = study_in(tmp_path, {"mode": mode}, recipe=recipe, scale=scale).graphs["small"]
    assert graph.nodes["plain@seed=1"].options["lr"] == (DEFAULT, BASE, HERE, OWN, PAPER)[there[-1]]
    rows = [row for row in graph.deviations if row["key"] == "lr"]
    paper = [level for level in levels if level != 2]  # the scale says nothing of the paper
    assert bool(rows) == (paper[-1:] != there[-1:]), rows
    told = {3: "4e-5", 4: "5e-5"}.get(there[-1]) if 2 in levels else None
    assert queries.override_sentences(graph) == (
        [f"plain: lr {told} overrides the scale's 3e-3"] if told else []
    )


def test_a_node_belongs_to_the_base_at_the_bottom_of_its_chain(tmp_path):
    def recipe(content):
        content["defaults"]["finetune"]["bases"] = {"big": {"batch": 4}, "linear": {"c": 3.0}}

    nodes = study_in(tmp_path, recipe=recipe).graphs["small"].nodes
    assert [
        nodes[id].options["batch"] for id in ("plain@seed=1", "expert@seed=1", "again@seed=2")
    ] == [4, 4, 4]
    assert nodes["two"].options["c"] == 3.0 and nodes["reader"].options["batch"] == 8


def test_axes_of_defaults_follow_the_same_order(tmp_path):
    """A later level's one value takes the axis of an earlier one away, and a later axis the "
    "value."""

    def ids(name, change, mode="recommended"):
        return study_in(tmp_path / name, {"mode": mode}, recipe=change).graphs["small"].ids["plain"]

    def of_the_base(content):
        content["defaults"]["finetune"]["bases"] = {"big": {"each": {"seed": [7]}}}

    def one_for_the_base(content):
        content["defaults"]["finetune"]["bases"] = {"big": {"seed": 7}}
        content["models"]["two"]["class_weights"] = "balanced"

    def faithful_seed(content):
        content["models"]["plain"]["faithful"] = {"seed": 7}
        del content["compare"]

    def faithful_rate_of_defaults(content):
        content["defaults"]["finetune"]["faithful"] = {"lr": 0.5}
        content["models"]["plain"]["each"] = {"lr": [0.1, 0.2], "seed": [1]}

    assert ids("a", of_the_base) == ["plain@seed=7"]
    assert ids("b", one_for_the_base) == ["plain"]
    assert ids("c", faithful_seed) == ["plain@seed=1", "plain@seed=2"]
    assert ids("d", faithful_seed, "faithful") == ["plain"]
    assert ids("e", faithful_rate_of_defaults, "faithful") == [
        "plain@lr=0.1@seed=1",
        "plain@lr=0.2@seed=1",
    ]


def test_faithful_of_the_defaults_is_that_of_every_node(tmp_path):
    def recipe(content):
        content["defaults"]["finetune"] |= {
            "faithful": {"lr": 0.5, "batch": 2},
            "bases": {"big": {"faithful": {"lr": 0.25}}},
        }
        content["models"]["one"] |= {"lr": 0.125, "faithful": {"batch": 1}}

    recommended = study_in(tmp_path / "a", recipe=recipe).graphs["small"]
    nodes = study_in(tmp_path / "b", {"mode": "faithful"}, recipe=recipe).graphs["small"].nodes
    assert [
        (nodes[id].options["lr"], nodes[id].options["batch"]) for id in ("one", "plain@seed=1")
    ] == [
        (0.25, 1),
        (0.25, 2),
    ]
    assert (
        recommended.nodes["one"].options["lr"] == 0.125
        and recommended.nodes["plain@seed=1"].options["batch"] == 8
    )
    row = {"node": "one", "key": "lr", "paper": 0.25, "used": 0.125, "why": "mode recommended"}
    assert row in recommended.deviations


def test_an_option_may_be_read_beside_the_faithful_value_of_the_defaults(tmp_path):
    def recipe(content):
        content["defaults"]["finetune"]["faithful"] = {"loss": "focal"}
        content["models"]["plain"]["gamma"] = 2

    options = study_in(tmp_path / "a", recipe=recipe).graphs["small"].nodes["plain@seed=1"].options
    assert "gamma" not in options
    with pytest.raises(ConfigError, match="finetune needs gamma"):  # the other nodes
        study_in(tmp_path / "b", {"mode": "faithful"}, recipe=recipe)


@pytest.mark.parametrize(
    "own, told",
    [
        ({"lr": 1.0e-5}, ["plain: lr 1e-5 overrides the scale's 3e-3"]),
        ({"lr": 3.0e-3}, []),
        ({"lr": 0.02}, ["plain: lr 0.02 overrides the scale's 3e-3"]),
        ({"epochs": 4}, ["plain: epochs 4 overrides the scale's 2"]),
        (
            {"each": {"lr": [1.5e-5, 0.1], "seed": [1]}},
            ["plain: lr 1.5e-5, 0.1 overrides the scale's 3e-3"],
        ),
        (
            {"each": {"lr": {"low": 1.5e-5}, "seed": [1]}},
            ["plain: lr 1.5e-5 overrides the scale's 3e-3"],
        ),
        ({"batch": 4}, []),
        ({"max_length": 32}, ["plain: max_length 32 overrides the scale's 48"]),
        ({"faithful": {"lr": 0.5}}, []),
    ],
)
def test_a_value_of_a_node_that_overrides_its_scales_is_told(tmp_path, own, told):
    def scale(content):
        content["bases"]["big"] |= {
            "finetune": {"lr": 3.0e-3, "epochs": 2},
            "predict": {"max_length": 48},
        }

    study = study_in(
        tmp_path, recipe=lambda recipe: recipe["models"]["plain"].update(own), scale=scale
    )
    graph = study.graphs["small"]
    assert sorted(queries.override_sentences(graph)) == sorted(told)
    assert sorted(json.loads(specs.report_spec(study))["recipes"]["small"]["overrides"]) == sorted(
        told
    )
    (id, *_) = graph.ids["plain"]
    assert study.predict_options(graph, graph.nodes[id])["max_length"] == own.get("max_length", 48)


def test_nodes_that_override_alike_share_a_sentence_and_those_not_run_have_none(tmp_path):
    def recipe(content):
        for name in ("one", "plain", "again", "expert"):
            content["models"][name]["lr"] = 1.0e-5

    graph = study_in(tmp_path / "a", recipe=recipe).graphs["small"]
    assert queries.override_sentences(graph) == [
        "again, expert, one, plain: lr 1e-5 overrides the scale's 1e-3"
    ]
    assert queries.override_sentences(graph, 2) == [
        "again, expert and 2 more: lr 1e-5 overrides the scale's 1e-3"
    ]
    graph = study_in(
        tmp_path / "b", recipe=recipe, task=lambda task: task["splits"].pop("unlabeled")
    ).graphs["small"]
    assert queries.override_sentences(graph) == ["one, plain: lr 1e-5 overrides the scale's 1e-3"]


def test_defaults_hold_every_key_of_a_verb_but_its_own(tmp_path):
    """All nodes of the verb have it; a node's own stands over it."""
    pooled = {"fold": ["rain/train", "rain/dev"], "k": 2, "seed": 4}
    review = {
        "prompt": "check",
        "check": "yes",
        "otherwise": "no",
        "shots": 0,
        "gate": "always",
        "seed": 1,
    }
    prior = {"method": "prior", "lambda": [0, 1.0]}

    def written_out(content):
        for name in ("one", "two", "plain", "again"):
            content["models"][name]["data"] = ["rain/train"]
        content["datasets"] |= {
            "pooled": pooled,
            "drawn": {
                "label": "rain/unlabeled",
                "teachers": ["one", "two"],
                "keep": "random",
                "budget": "agreed",
            },
            "again-filled": {"augment": "rain/train", "method": "duplicate", "budget": "filled"},
            "even": {"resample": "rain/train", "budget": "filled", "seed": 1},
        }
        content["models"] |= {"member": {"finetune": "big", "data": ["pooled"]}}
        content["predictors"] |= {
            "mean": {"vote": ["member"], "over": ["fold"], "rule": "soft", "ties": "lowest"},
            "fair": {"calibrate": "plain", "fit": "rain/dev", "target": "uniform", **prior},
            "held": {
                "calibrate": "mean",
                "fit": "rain/held-out",
                "target": "rain/unlabeled",
                "transductive": True,
                **prior,
            },
            "best": {"pick": ["plain", "again"], "fit": "rain/dev", "over": ["seed"]},
        }
        if "review" in VERBS:
            content["predictors"]["checked"] = {
                "review": "plain",
                "reviewer": "judge",
                "fit": "rain/dev",
                **review,
            }

    def by_defaults(content):
        written_out(content)
        given = {
            "finetune": {"data": ["rain/train"]},
            "label": {"teachers": ["one", "two"]},
            "resample": {"budget": "filled"},
            "vote": {"over": ["fold"]},
            "calibrate": {"fit": "rain/dev", "target": "uniform"},
            "pick": {"fit": "rain/dev", "over": ["seed"]},
            "review": {"fit": "rain/dev", "reviewer": "judge"},
        }
        content["predictors"]["together"]["over"] = ["seed"]
        for section in ("datasets", "models", "predictors"):
            for body in content[section].values():
                verb = (
                    next(verb for verb in given if verb in body)
                    if given.keys() & body.keys()
                    else None
                )
                for key, value in given.get(verb, {}).items():
                    if body.get(key) == value:
                        del body[key]
        for verb in given.keys() & VERBS.keys():
            content["defaults"].setdefault(verb, {}).update(given[verb])
        assert content["models"]["plain"] == {"finetune": "big"}
        assert "reviewer" not in content["predictors"].get("checked", {})

    bases = {
        "bases": lambda bases: bases.update(judge={"kind": "stand-in"}),
        "scale": lambda scale: scale["bases"].update(judge={}),
    }
    long = study_in(tmp_path / "a", recipe=written_out, **bases).graphs["small"]
    short = study_in(tmp_path / "b", recipe=by_defaults, **bases).graphs["small"]
    assert (
        long.nodes
        and short.nodes == long.nodes
        and short.ids == long.ids
        and short.not_run == long.not_run == {}
    )


def test_every_key_of_every_verb_stands_in_its_defaults_but_its_own():
    for verb in VERBS.nodes:
        keys = defaults_schema(verb)["properties"].keys()
        assert keys == (node_schema(verb)["properties"].keys() - {verb}) | (
            {"bases"} if verb in VERBS_WITH_BASE else set()
        )
    assert defaults_schema("predict")["properties"].keys() == {*option_schemas("predict"), "bases"}


def test_faithful_overlays_the_node_in_that_mode_alone(tmp_path):
    recommended = study_in(tmp_path / "a").graphs["small"]
    faithful = study_in(tmp_path / "b", {"mode": "faithful"}).graphs["small"]
    assert recommended.nodes["filled"].options["split"] == "protected"
    assert faithful.nodes["filled"].options["split"] == "naive"
    row = {
        "node": "filled",
        "key": "split",
        "paper": "naive",
        "used": "protected",
        "why": "mode recommended",
    }
    assert row in recommended.deviations
    assert not [row for row in faithful.deviations if row["node"] == "filled"]


def test_deviations_name_scale_and_study(tmp_path):
    rows = {(row["node"], row["key"]): row for row in study_in(tmp_path).graphs["small"].deviations}
    assert rows["plain", "lr"] == {
        "node": "plain",
        "key": "lr",
        "paper": 5e-6,
        "used": 1e-3,
        "why": "scale here",
    }
    assert rows["plain", "seed"]["used"] == [1, 2] and rows["plain", "seed"]["why"] == "study"


def test_a_cap_on_train_posts_stands_in_the_spec_of_clean_alone(tmp_path):
    free, capped = study_in(tmp_path / "a"), study_in(tmp_path / "b", {"train": 1500})
    all_of_it, part = (json.loads(specs.clean_spec(study, "rain")) for study in (free, capped))
    assert "most_train" not in all_of_it and part == {**all_of_it, "most_train": 1500}
    for id in free.graphs["small"].nodes:
        assert specs.node_spec(free, "small", id) == specs.node_spec(capped, "small", id)
    told = [
        json.loads(specs.report_spec(study))["recipes"]["small"]["deviations"]
        for study in (free, capped)
    ]
    used = "at most 1500 of each task"
    assert [row for row in told[1] if row not in told[0]] == [
        {"node": "", "key": "train posts", "paper": "all", "used": used, "why": "study"}
    ]


def test_splits_that_the_task_lacks_drop_out(tmp_path):
    graph = study_in(tmp_path).graphs["small"]
    assert graph.compare["rain"]["sets"] == ["rain/dev"]
    assert {dataset for _, dataset in queries.scored_nodes(graph)} == {"rain/dev"}


def test_what_cannot_run_takes_what_follows_with_it(tmp_path):
    def differ(
        recipe,
    ):  # two linear teachers that differ in their seeds alone would agree on everything
        recipe["models"]["two"]["class_weights"] = "balanced"

    scale = {"scale": lambda scale: scale["bases"]["big"].update(model="linear")}
    graph = study_in(tmp_path, recipe=differ, **scale).graphs["small"]
    assert "pretraining needs a network" in graph.not_run["reader"]
    assert graph.not_run["again"] == "needs expert, which is not run"
    assert "expert" not in {node.name for node in graph.nodes.values()}


def test_a_spec_holds_the_numbers_that_its_loss_and_head_read(tmp_path):
    """So a recipe may give them once for all its nodes, and another loss's number retrains "
    "nothing."""

    def losses(recipe):
        recipe["defaults"]["finetune"] |= {
            "gamma": 2,
            "max_m": 0.5,
            "mm_max_m": 0.5,
            "mm_gamma": 1.1,
            "tau": 1,
            "s": 30,
        }
        recipe["models"]["one"]["each"] = {"loss": ["focal", "ldam", "mm-ldam", "logit-adjusted"]}
        recipe["models"]["two"] = {
            **recipe["models"]["one"],
            "each": {"head": ["linear", "cosine"]},
        }
        recipe["datasets"]["agreed"]["teachers"] = ["plain", "floor"]
        recipe["models"]["floor"] = {"finetune": "linear", "data": ["rain/train"], "seed": 1}

    study = study_in(
        tmp_path / "a", recipe=losses, bases=lambda bases: bases["tiny"].update(kind="encoder")
    )
    plain = study_in(tmp_path / "b", bases=lambda bases: bases["tiny"].update(kind="encoder"))
    assert specs.node_spec(study, "small", "plain@seed=1") == specs.node_spec(
        plain, "small", "plain@seed=1"
    )
    named = {"gamma", "max_m", "mm_max_m", "mm_gamma", "tau", "s"}
    held = {id: named & set(node.options) for id, node in study.graphs["small"].nodes.items()}
    assert held["one@loss=focal"] == {"gamma"} and held["one@loss=ldam"] == {"max_m"}
    assert held["one@loss=mm-ldam"] == {"max_m", "mm_max_m", "mm_gamma"} and held[
        "one@loss=logit-adjusted"
    ] == {"tau"}
    assert held["two@head=linear"] == set() and held["two@head=cosine"] == {"s"}


def test_pooling_and_optimizer_stand_in_the_specs_of_models_that_read_them(tmp_path):
    def heads(recipe):
        recipe["defaults"]["finetune"] |= {"optimizer": "radam"}
        recipe["models"]["one"]["each"] = {"pooling": ["pooler", "last2+pooler", "bigru-tokens"]}
        recipe["models"]["floor"] = {"finetune": "linear", "data": ["rain/train"], "seed": 1}
        recipe["datasets"]["agreed"]["teachers"] = ["plain", "floor"]

    study = study_in(
        tmp_path, recipe=heads, bases=lambda bases: bases["tiny"].update(kind="encoder")
    )
    named = {"pooling", "optimizer"}
    held = {
        id: named & set(json.loads(specs.node_spec(study, "small", id)))
        for id in study.graphs["small"].nodes
    }
    assert held["one@pooling=last2+pooler"] == named and held["plain@seed=1"] == {"optimizer"}
    assert held["floor"] == set() and held["reader"] == set()


def test_an_epoch_is_chosen_on_dev_and_the_node_says_so(tmp_path):
    def best(recipe):
        recipe["models"]["plain"]["epoch"] = "best"
        recipe["models"]["floor"] = {
            "finetune": "linear",
            "data": ["rain/train"],
            "seed": 1,
            "epoch": "best",
        }

    study, before = study_in(tmp_path / "a", recipe=best), study_in(tmp_path / "b")
    spec = json.loads(specs.node_spec(study, "small", "plain@seed=1"))
    assert (spec["epoch"], spec["metric"], spec["positive"]) == ("best", "f1", [1])
    nodes = study.graphs["small"].nodes
    assert nodes["plain@seed=1"].fitted == ("rain/dev",) and nodes["expert@seed=1"].fitted == ()
    assert specs.node_spec(study, "small", "expert@seed=1") == specs.node_spec(
        before, "small", "expert@seed=1"
    )
    assert (
        study.graphs["small"]
        .not_run["floor"]
        .startswith("epoch best needs a model of kind encoder or causal")
    )

    def without_dev(task):
        del task["splits"]["dev"]

    graph = study_in(tmp_path / "c", recipe=best, task=without_dev).graphs["small"]
    assert graph.not_run["plain"] == "rain has no split dev, to choose an epoch on"


@pytest.mark.parametrize("metric", ["accuracy", "micro_f1"])
def test_a_task_without_positive_classes_has_accuracy_or_micro_f1_as_its_metric(tmp_path, metric):
    def task(body):
        body["metric"] = metric
        del body["positive"]

    def best(recipe):
        recipe["models"]["plain"]["epoch"] = "best"

    study = study_in(tmp_path, recipe=best, task=task)
    spec = json.loads(specs.node_spec(study, "small", "plain@seed=1"))
    assert (spec["metric"], spec["positive"]) == (metric, [])
    pairs = json.loads(specs.score_spec(study, "small"))["pairs"]
    assert {(pair["metric"], *pair["positive"]) for pair in pairs} == {(metric,)}


@pytest.mark.parametrize(
    "base, option, sentence",
    [
        (
            "linear",
            {"loss": "focal"},
            "loss focal needs a model of kind encoder or causal; linear is of kind linear",
        ),
        ("linear", {"drw": 0.5}, "drw 0.5 needs a model of kind encoder or causal"),
        (
            "big",
            {"head": "cosine"},
            "head cosine needs a model of kind encoder; big is of kind causal",
        ),
        (
            "big",
            {"pooling": "last3"},
            "pooling last3 needs a model of kind encoder; big is of kind causal",
        ),
        ("linear", {"answers": "digits"}, "answers digits needs a model of kind causal"),
    ],
)
def test_what_a_kind_of_model_cannot_do_is_not_run(tmp_path, base, option, sentence):
    node = {"finetune": base, "data": ["rain/train"], **option}
    graph = study_in(tmp_path, recipe=lambda recipe: recipe["models"].update(odd=node)).graphs[
        "small"
    ]
    assert graph.not_run["odd"].startswith(sentence)


def test_models_behind_the_scores_that_may_begin_anew(tmp_path):
    """Teachers and bases among them, and no model that nobody asks for."""

    def restarts(recipe):
        for name in ("one", "expert"):
            recipe["models"][name]["restarts"] = 2
        recipe["models"]["idle"] = {**recipe["models"]["one"], "seed": 5}

    assert queries.restarting_models(study_in(tmp_path / "a").graphs["small"]) == []
    found = queries.restarting_models(study_in(tmp_path / "b", recipe=restarts).graphs["small"])
    assert found == ["expert@seed=1", "expert@seed=2", "one"]


def test_a_split_that_the_task_lacks_is_no_training_data(tmp_path):
    graph = study_in(tmp_path, task=lambda task: task["splits"].pop("unlabeled")).graphs["small"]
    assert graph.not_run["reader"] == "rain has no split unlabeled"
    assert graph.ids["plain"] and not graph.ids["expert"]


def test_what_has_read_a_test_set_marks_all_that_stands_on_it(tmp_path):
    def on_test(recipe):
        recipe["models"]["reader"] |= {"data": ["rain/test"], "transductive": True}

    def with_test(task):
        task["splits"]["test"] = task["splits"]["dev"]

    study = study_in(tmp_path, recipe=on_test, task=with_test)
    marked = {node.name for node in study.graphs["small"].nodes.values() if node.transductive}
    assert marked == {"reader", "expert", "again", "together"}
    marks = json.loads(specs.report_spec(study))["recipes"]["small"]["marks"]
    assert marks["transductive"] == sorted(marked) and marks["stand_in"] == []


def test_a_raw_file_of_another_size_is_cleaned_again_however_old_it_is(tmp_path):
    file = tmp_path / "posts/rain/train.csv"
    file.parent.mkdir(parents=True)

    def spec(text):
        file.write_text(text)
        os.utime(file, (0, 0))  # an archive keeps old times
        study = study_in(tmp_path, study=lambda study: study.update(data=str(tmp_path / "posts")))
        return specs.clean_spec(study, "rain")

    assert spec("text\n") != spec("text\none more\n")
    assert spec("text\n") == spec("text\n")


def test_a_whole_number_may_be_written_with_a_point(tmp_path):
    def with_epochs(name, epochs):
        return study_in(
            tmp_path / name, recipe=lambda recipe: recipe["models"]["plain"].update(epochs=epochs)
        )

    one, other = with_epochs("a", 8), with_epochs("b", 8.0)
    assert specs.node_spec(one, "small", "plain@seed=1") == specs.node_spec(
        other, "small", "plain@seed=1"
    )


def test_prompts_stand_in_the_specs_of_causal_models_only(tmp_path):
    study = study_in(tmp_path)
    assert "Rain?" in specs.node_spec(study, "small", "plain@seed=1")
    assert "Rain?" not in specs.node_spec(study, "small", "two")
    assert "Rain?" not in specs.clean_spec(study, "rain")


def test_the_pool_is_cut_in_the_spec_of_its_own_predictions_only(tmp_path):
    study = study_in(
        tmp_path, scale=lambda scale: scale["bases"]["big"].update(predict={"pool": 7})
    )
    teaching = json.loads(specs.predict_spec(study, "small", "one", "teaching"))
    assert teaching["pool"] == 7 and teaching["datasets"] == ["rain/dev", "rain/unlabeled"]
    scored = json.loads(specs.predict_spec(study, "small", "plain@seed=1", "scored"))
    assert "pool" not in scored and scored["datasets"] == ["rain/dev"]


def test_a_spec_does_not_depend_on_the_order_of_keys(tmp_path):
    def reorder(recipe):
        recipe["models"] = dict(reversed(recipe["models"].items()))
        recipe["defaults"]["finetune"] = dict(reversed(recipe["defaults"]["finetune"].items()))

    one, two = study_in(tmp_path / "a"), study_in(tmp_path / "b", recipe=reorder)
    for id in one.graphs["small"].nodes:
        assert specs.node_spec(one, "small", id) == specs.node_spec(two, "small", id)


PART = {"finetune": "linear", "data": ["pooled"], "seed": 1}
JOINED = {"over": ["fold"], "rule": "soft", "ties": "lowest"}


def floors_with(folder, **models):
    """The floors of the small recipe without its own linear models, with these, and with a vote
    over each in folds.
    """

    def recipe(content):
        content["datasets"] = {"pooled": {"fold": ["rain/train", "rain/dev"], "k": 3, "seed": 42}}
        content["models"] = {"plain": {"finetune": "big", "data": ["rain/train"]}, **models}
        content["models"]["member"] = {**PART, "finetune": "big"}
        folded = ["member", *(name for name, body in models.items() if body["data"] == ["pooled"])]
        content["predictors"] = {f"{name}-mean": {"vote": [name], **JOINED} for name in folded}
        content["compare"] = {}
        content["score"] = {f"{name}-mean": ["rain/held-out"] for name in folded}

    study = study_in(folder, recipe=recipe)
    graph = study.graphs["small"]
    assert json.loads(specs.report_spec(study))["recipes"]["small"][
        "floors"
    ] == queries.floor_nodes(graph)
    return queries.floor_nodes(graph), queries.reading_order(graph)


def test_a_linear_model_in_folds_is_the_floor_of_held_out_posts(tmp_path):
    whole = {"finetune": "linear", "data": ["rain/train"], "seed": 1}
    assert floors_with(tmp_path / "a", floor=whole)[0] == {"rain": "floor"}
    assert floors_with(tmp_path / "b")[0] == {}  # the vote over folds of another model is none
    found, order = floors_with(tmp_path / "c", floor=whole, part=PART)
    assert found == {"rain": "floor", "rain/held-out": "part-mean"} and order[:2] == [
        "floor",
        "part-mean",
    ]
    found, order = floors_with(tmp_path / "d", part=PART)
    assert found == {"rain": "part-mean"} and order[0] == "part-mean"
