"""Queries on a finished graph: where models are scored that stand on the posts of another task."""

from copy import deepcopy

import pytest
import yaml
from study_files import TASK, write_config

from postgrad.graph.queries import splits_scored_beside
from postgrad.study.specs import audit_spec
from postgrad.study.study import Study


def study_of(folder, models, score, bind=None, **others):
    """A study whose recipe has the tasks rain, mud and snow, and these models beside its own."""

    def recipe(content):
        content["tasks"] |= {"mud": "mud", "snow": "snow"}
        content["models"] |= models
        content["score"] = score
        for section, nodes in others.items():
            content.setdefault(section, {}).update(nodes)

    def study(content):
        content |= {"bind": {"small": bind}} if bind else {}

    root = write_config(folder / "config", recipe=recipe, study=study)
    for name in ("mud", "snow"):
        (root / f"tasks/{name}.yaml").write_text(yaml.safe_dump(deepcopy(TASK)))
    return Study({"study": "test", "check_data": False}, root=root)


MUD = ["mud/dev"]  # its other splits are train and unlabeled
FOLDS = {"pooled": {"fold": ["mud/train", "mud/dev"], "k": 2, "seed": 1}}


@pytest.mark.parametrize(
    "models, expected",
    [
        ({"deep": {"finetune": "big", "data": ["mud/train"]}}, []),
        # a model that goes on from one of rain
        ({"deep": {"finetune": "plain", "data": ["mud/train"]}}, MUD),
        # from one that learnt a pool of rain, through a dataset, or through pretraining alone
        ({"deep": {"finetune": "expert", "data": ["mud/train"]}}, MUD),
        ({"deep": {"finetune": "reader", "data": ["mud/train"]}}, MUD),
        (
            {
                "both": {"pretrain": "big", "data": ["snow/train", "rain/train"]},
                "deep": {"finetune": "both", "data": ["mud/train"]},
            },
            MUD,
        ),
    ],
)
def test_a_model_stands_on_the_posts_of_its_base(tmp_path, models, expected):
    study = study_of(tmp_path, models, {"deep": ["mud/dev"]})
    assert study.scored_beside("rain") == expected
    assert study.scored_beside("mud") == []
    assert study.scored_beside("snow") == (MUD if "both" in models else [])
    assert ("beside" in audit_spec(study, "rain")) is bool(expected)


def test_teachers_hand_on_what_they_stand_on(tmp_path):
    models = {
        "teacher": {"finetune": "plain", "data": ["mud/train"], "seed": 1},
        "student": {"finetune": "big", "data": ["mud/train", "guessed"], "seed": 1},
    }
    guessed = {"label": "mud/unlabeled", "teachers": ["teacher"], "keep": "random", "share": 0.5}
    study = study_of(
        tmp_path, models, {"student": ["mud/dev"]}, datasets={"guessed": guessed | {"seed": 1}}
    )
    assert study.scored_beside("rain") == MUD


def test_a_model_that_is_not_scored_asks_for_nothing(tmp_path):
    study = study_of(tmp_path, {"deep": {"finetune": "plain", "data": ["mud/train"]}}, {})
    assert study.scored_beside("rain") == []


def test_held_out_posts_are_those_of_the_splits_in_folds(tmp_path):
    models = {"member": {"finetune": "plain", "data": ["pooled"]}}
    mean = {"vote": ["member"], "over": ["fold", "seed"], "rule": "soft", "ties": "lowest"}
    study = study_of(
        tmp_path,
        models,
        {"mean": ["mud/held-out"]},
        datasets=FOLDS,
        predictors={"mean": mean},
    )
    assert study.scored_beside("rain") == ["mud/dev", "mud/train"]


def test_two_names_of_one_task_are_one_task(tmp_path):
    models = {"deep": {"finetune": "plain", "data": ["mud/train"]}}
    study = study_of(tmp_path, models, {"deep": ["mud/dev"]}, bind={"mud": "rain"})
    assert study.scored_beside("rain") == []
    assert splits_scored_beside(study.graph("small")) == {}
