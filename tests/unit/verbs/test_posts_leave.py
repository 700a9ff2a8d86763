"""A post goes to an endpoint only where its task's data agreement and the study both allow it."""

import pytest
import yaml
from broken import BASES, GPT, put
from study_files import write_config
from tree import ROOT

from postgrad.config.errors import ConfigError
from postgrad.study.specs import clean_spec
from postgrad.study.study import Study
from postgrad.verbs import language_models

TASKS = ROOT / "config/tasks"
BUDGET = {"requests": 10, "tokens": 1000}


def study(folder, task=None, endpoints=None, model="gpt", **changes):
    """A study in which model `big` is an endpoint.

    Task and endpoints: the leave of task and study.
    """
    root = write_config(
        folder / "config",
        bases=put("gpt", GPT),
        task=None if task is None else put("endpoints", task),
        study=None if endpoints is None else put("endpoints", endpoints),
        scale=put("bases.big.model", model),
        **changes,
    )
    return Study({"study": "test", "check_data": False}, root=root)


@pytest.mark.parametrize("task", [None, False, True])
@pytest.mark.parametrize("endpoints", [None, BUDGET])
def test_posts_leave_where_task_and_study_allow_it(tmp_path, task, endpoints):
    read = study(tmp_path, task, endpoints)
    if task and endpoints:
        assert (
            language_models.check_posts_may_leave(
                read, "gpt", "rain", "recipe.yaml: checked.review"
            )
            is None
        )
        return
    with pytest.raises(ConfigError) as caught:
        language_models.check_posts_may_leave(read, "gpt", "rain", "recipe.yaml: checked.review")
    (sentence,) = caught.value.sentences
    assert sentence.startswith("recipe.yaml: checked.review: gpt is an endpoint, and ")
    file = read.where if task else f"{read.root}/tasks/rain.yaml"
    assert file in sentence and "write endpoints: " in sentence


@pytest.mark.parametrize("base", ["tiny", "linear", "big"])
def test_what_answers_here_needs_no_leave(tmp_path, base):
    assert language_models.check_posts_may_leave(study(tmp_path), base, "rain", "here") is None


def test_a_task_that_cannot_be_read_is_told_once(tmp_path):
    read = study(tmp_path, endpoints=BUDGET)
    read._tasks["rain"] = None  # as where the file has a fault
    assert language_models.check_posts_may_leave(read, "gpt", "rain", "here") is None


def test_the_command_line_overlays_the_budget(tmp_path):
    root = study(tmp_path, endpoints=BUDGET).root
    more = {"requests": 20, "tokens": 2000}
    assert (
        Study({"study": "test", "check_data": False, "endpoints": more}, root=root).endpoints
        == more
    )


def test_an_endpoint_cannot_be_trained(tmp_path):
    for model in ("gpt", "deputy"):
        folder = tmp_path / model
        read = study(folder, model="gpt")
        if model == "deputy":
            path = read.root / BASES
            path.write_text(path.read_text() + "deputy: {kind: stand-in}\n")
            scale = read.root / "scales/here.yaml"
            scale.write_text(scale.read_text().replace("model: gpt", "model: deputy"))
            read = Study({"study": "test", "check_data": False}, root=read.root)
        kind = {"gpt": "endpoint", "deputy": "stand-in"}[model]
        not_run = read.graphs["small"].not_run
        assert not_run["plain"] == f"finetune needs weights; big is of kind {kind} at this scale"
        assert not_run["reader"] == f"pretrain needs weights; big is of kind {kind} at this scale"


def test_the_leave_changes_no_clean_post(tmp_path):
    specs = {
        clean_spec(study(tmp_path / str(leave), leave), "rain") for leave in (None, False, True)
    }
    assert len(specs) == 1


def test_no_fault_shows_a_key(tmp_path):
    for place in ("key", "url"):
        root = write_config(
            tmp_path / place, bases=put("gpt", {**GPT, place: "http://sk-0123456789@x"})
        )
        with pytest.raises(ConfigError) as caught:
            Study({"study": "test", "check_data": False}, root=root)
        assert f"gpt.{place}" in str(caught.value) and "0123456789" not in str(caught.value)


@pytest.mark.parametrize("path", sorted(TASKS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_task_says_whether_its_posts_may_leave(path):
    body = yaml.safe_load(path.read_text())
    assert isinstance(body["endpoints"], bool)
    assert not (body["endpoints"] and "agreement" in body.get("source", ""))
