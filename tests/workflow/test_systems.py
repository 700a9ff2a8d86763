"""What the recipes alex and utrad take from their papers in each mode, and what holds for them at
every scale.
"""

import shutil

import pytest
import yaml
from tree import ROOT

from postgrad.config.errors import ConfigError
from postgrad.study.study import Study
from postgrad.verbs.registry import VERBS


def graph(recipe, study="demo", mode="recommended", root=ROOT / "config"):
    config = {"study": study, "recipes": [recipe], "mode": mode, "check_data": False}
    return Study(config, root=root).graphs[recipe]


@pytest.mark.parametrize("mode", ["recommended", "faithful"])
@pytest.mark.parametrize("recipe", ["alex", "utrad"])
def test_only_what_asks_a_language_model_is_left_out(recipe, mode):
    assert not graph(recipe, "demo", mode).not_run
    for study in ("public", "a800"):
        found = graph(recipe, study, mode)
        asks = {name for name, (verb, _) in found.raw.items() if VERBS.nodes[verb].asks}
        assert all(
            "gpt" in why or f"needs {name}" in why or "needs " in why
            for name, why in found.not_run.items()
        )
        assert {name for name in found.not_run if "gpt" in found.not_run[name]} <= asks
        assert found.ids["covid-floor" if recipe == "alex" else "disorders-floor"]


def test_no_post_of_a_shared_task_goes_to_a_server(tmp_path):
    shutil.copytree(ROOT / "config", tmp_path / "config")
    path = tmp_path / "config/scales/laptop.yaml"
    scale = yaml.safe_load(path.read_text())
    scale["bases"]["gpt-4"] = {}
    path.write_text(yaml.safe_dump(scale))
    with pytest.raises(ConfigError, match="is an endpoint, and no post of smm4h.* goes to one"):
        graph("utrad", "public", root=tmp_path / "config")


def test_weights_stand_on_top_of_balanced_classes_in_mode_faithful_alone():
    weights = {
        "covid": {"no": 1, "yes": 2},
        "therapy": {"negative": 2, "neutral": 1, "positive": 2},
    }
    for task, given in {**weights, "anxiety": {"no": 1, "yes": 2}}.items():
        for kind in ("expert", "duplicated"):
            id = f"{task}-{kind}@seed=1"
            assert graph("alex", mode="faithful").nodes[id].options["class_weights"] == given
            assert graph("alex").nodes[id].options["class_weights"] == "none"


def test_controls_have_the_counts_of_what_they_control():
    nodes = graph("alex").nodes
    for task in ("covid", "therapy", "anxiety"):
        assert (
            nodes[f"{task}-same"].budget
            == f"{task}-even"
            == nodes[f"{task}-expert@seed=1"].sources[0]
        )
        assert nodes[f"{task}-same"].sources == [f"{task}/train"]


def test_written_posts_stand_beside_as_many_duplicates():
    for mode, prompts in (
        ("recommended", ["synthesize-posts"] * 2),
        ("faithful", ["synthesize-tweets-other-first", "synthesize-tweets-own-first"]),
    ):
        found = graph("utrad", mode=mode)
        for task, prompt in zip(("disorders", "ages"), prompts):
            written, copied = found.nodes[f"{task}-written"], found.nodes[f"{task}-copied"]
            assert written.options["prompt"] == prompt and written.sources == [f"{task}/train"]
            assert written.options["classes"] == ["yes"] and written.options["count"] == 1000
            assert (
                copied.budget == written.id and copied.stand_in
            )  # how many there are hangs on the rule
            assert found.nodes[f"{task}-expert@seed=1"].options["epoch"] == "best"
            assert found.nodes[f"{task}-expert@seed=1"].fitted == (f"{task}/dev",)


def test_study_edits_trains_33_models_on_public_posts():
    found = graph("alex", "edits")
    nets = [
        node for node in found.nodes.values() if node.verb == "finetune" and node.kind == "encoder"
    ]
    assert len(nets) == 33 and {node.axes["seed"] for node in nets} == {1, 2, 3}
    assert not any(task.startswith("smm4h") for task in found.tasks.values())


def test_what_names_labels_is_not_run_where_a_study_has_put_a_task_without_them():
    """Study edits replaces Task 2 by depression, which has four other classes.

    A wrong label is still an error.
    """
    found = graph("alex", "edits", "faithful")
    weights = "its class_weights are of other labels than those of depression"
    assert (
        found.not_run["therapy-edited"]
        == "depression has no label negative, which stands under classes"
    )
    assert (
        found.not_run["therapy-weighted"] == weights
        and found.ids["therapy-plain"]
        and found.ids["covid-expert"]
    )
    assert "therapy-edited" not in graph("alex", "edits").not_run
