"""What is known of a label node before the run: whether a pool suffices for all folds."""

import pytest
from study_files import write_config

from postgrad.config.errors import ConfigError
from postgrad.study.study import Study

GUESSED = {"label": "rain/unlabeled", "teachers": ["one"], "keep": "random", "share": 0.3}
SURE = {**GUESSED, "keep": "confidence", "share": 0.3}
DRAWN = {**{key: value for key, value in GUESSED.items() if key != "share"}, "budget": "sure"}


def study(folder, k=5, folds=None, **datasets):
    """The small study with these datasets, and `pooled` in k folds, of which `folds` are used."""

    def recipe(content):
        pooled = {"fold": ["rain/train", "rain/dev"], "k": k, "seed": 42}
        content["datasets"] |= {"pooled": pooled, **datasets}

    def task(content):
        content["splits"]["test"] = {"file": "rain/test.csv", "columns": {"text": "text"}}

    config = write_config(folder, recipe=recipe, task=task)
    settings = {"study": "test", "check_data": False} | ({"folds": folds} if folds else {})
    return Study(settings, root=config)


def fault(folder, **told):
    with pytest.raises(ConfigError) as caught:
        study(folder, **told)
    (sentence,) = caught.value.sentences
    return sentence.split(": ", 1)[1]


def test_a_share_that_the_folds_of_the_recipe_cannot_have_is_refused_with_fewer_folds(tmp_path):
    guessed = {**GUESSED, "folds": "pooled"}
    assert fault(tmp_path / "a", folds=2, guessed=guessed) == (
        "datasets.guessed.share: 0.3 of the posts for each of 5 folds (2 in this study) is more "
        "than all of them; write 0.2 at most, or leave folds out."
    )
    assert study(tmp_path / "b", k=3, folds=2, guessed=guessed)


@pytest.mark.parametrize("k", range(2, 13))
def test_the_share_that_a_message_advises_is_accepted(tmp_path, k):
    guessed = {**GUESSED, "share": 0.9, "folds": "pooled"}
    advised = float(fault(tmp_path / "a", k=k, guessed=guessed).split("write ")[1].split()[0])
    assert 1 / k - 0.001 < advised <= 1 / k
    assert study(tmp_path / "b", k=k, guessed={**guessed, "share": advised})


def test_a_budget_that_is_a_share_of_the_same_pool_is_held_against_the_folds(tmp_path):
    drawn = {**DRAWN, "folds": "pooled"}
    told = (
        "datasets.drawn.budget: sure keeps 0.3 of the posts, and as many for each of 5 folds are "
        "more than all of them; lower its share to 0.2 at most, or leave folds out."
    )
    assert fault(tmp_path / "a", sure=SURE, drawn=drawn) == told
    in_folds = {**SURE, "folds": "pooled"}
    assert fault(tmp_path / "b", sure=in_folds, drawn=drawn) == told
    between = {**SURE, "budget": "sure"}
    del between["share"]
    further = {**drawn, "budget": "between"}
    assert fault(tmp_path / "c", sure=SURE, between=between, drawn=further) == told
    assert fault(tmp_path / "d", folds=2, sure=SURE, drawn=drawn) == told.replace(
        "5 folds are", "5 folds (2 in this study) are"
    )


def test_a_budget_is_accepted_where_its_count_is_not_known_or_fits(tmp_path):
    drawn = {**DRAWN, "folds": "pooled"}
    assert study(tmp_path / "fits", sure={**SURE, "share": 0.2}, drawn=drawn)
    assert study(tmp_path / "whole pool", sure=SURE, drawn=DRAWN)
    other = {**SURE, "teachers": ["two"]}  # which may abstain from other posts
    assert study(tmp_path / "other teacher", sure=other, drawn=drawn)
    other = {**SURE, "label": "rain/test", "transductive": True}
    assert "sure" in study(tmp_path / "other pool", sure=other, drawn=drawn).graphs["small"].ids
    above = {**SURE, "above": 0.5}
    del above["share"]
    assert study(tmp_path / "above", sure=above, drawn=drawn)
    filled = {**drawn, "budget": "filled"}
    assert study(tmp_path / "copies", drawn=filled)
