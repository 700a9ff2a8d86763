"""clean_work: what no study refers to goes, whatever a study may still ask for stays."""

import yaml
from study_files import SCALE, write_config

from postgrad.study.cleanup import leftovers, listing


def work_in(folder, *names):
    for name in names:
        (folder / name).mkdir(parents=True)
        (folder / name / "key.json").write_text("{}")
    return folder


def found(folder, *names, **changes):
    root = write_config(folder / "config", **changes)
    work = work_in(folder / "work", *names)
    return [str(path.relative_to(work)) for path in leftovers(root, work)]


def test_nodes_recipes_and_studies_that_are_gone_are_left_over(tmp_path):
    gone = [
        "test/small/finetune/plane@seed=1",
        "test/small/predict/plane@seed=1",
        "test/smal/finetune/one",
        "tets/small",
    ]
    here = ["test/small/finetune/plain@seed=1", "test/small/pretrain/reader", "test/small/predict/one", "test/log"]
    here += ["test/run", "test/.run.lock"]
    assert found(tmp_path, *gone, *here) == ["test/smal", *gone[:2], "tets"]


def test_shards_stay_with_their_node_however_many_there_are(tmp_path):
    names = [f"test/small/predict/{node}/rain/unlabeled.shards/2-of-7" for node in ("one", "plane")]
    assert found(tmp_path, *names) == ["test/small/predict/plane"]


def test_a_seed_above_the_cap_and_another_mode_are_referred_to(tmp_path):
    def split(recipe):
        recipe["models"]["plain"]["faithful"] = {"epochs": 9}

    assert found(tmp_path, "test/small/finetune/plain@seed=3", recipe=split) == []


def test_a_node_that_another_scale_has_a_model_for_is_referred_to(tmp_path):
    """A scale may be named on the command line; one that lacks a base of the recipe says nothing."""
    root = write_config(tmp_path / "config", scale=lambda scale: scale["bases"]["big"].update(model=None))
    (root / "scales/large.yaml").write_text(yaml.safe_dump(SCALE))
    (root / "scales/less.yaml").write_text(yaml.safe_dump({"bases": {}}))
    work = work_in(tmp_path / "work", "test/small/finetune/plain@seed=1", "test/small/finetune/plane")
    assert leftovers(root, work) == [work / "test/small/finetune/plane"]


def test_a_study_that_extends_another_refers_to_its_nodes(tmp_path):
    root = write_config(tmp_path / "config")
    (root / "studies/wider.yaml").write_text(yaml.safe_dump({"extends": "test", "seeds": 3}))
    work = work_in(tmp_path / "work", "wider/small/finetune/plain@seed=1", "wider/small/finetune/plane")
    assert leftovers(root, work) == [work / "wider/small/finetune/plane"]


def test_a_task_above_the_cap_is_referred_to(tmp_path):
    def twice(recipe):
        recipe.update(tasks={"rain": "rain", "snow": "rain"}, compare={})
        recipe["for"] = {"task": ["rain", "snow"]}
        recipe["datasets"], recipe["predictors"] = {}, {}
        recipe["models"] = {"plain": {"finetune": "big", "data": ["task/train"]}}

    here = ["test/small/finetune/rain-plain@seed=1", "test/small/finetune/snow-plain@seed=1"]
    gone = "test/small/finetune/plain@seed=1"
    assert found(tmp_path, *here, gone, recipe=twice, study=lambda study: study.update(tasks=1)) == [gone]


def test_a_recipe_that_no_study_asks_for_is_referred_to(tmp_path):
    """The target all_recipes makes it."""
    config = write_config(tmp_path / "config")
    (config / "recipes/other.yaml").write_text((config / "recipes/small.yaml").read_text())
    work = work_in(tmp_path / "work", "test/other/finetune/plain@seed=1", "test/other/finetune/plane", "test/third")
    gone = [work / "test/other/finetune/plane", work / "test/third"]
    assert leftovers(config, work) == gone


def test_a_study_that_cannot_be_read_keeps_everything(tmp_path):
    assert found(tmp_path, "test/small/finetune/plane", recipe=lambda recipe: recipe["models"].update(plain={})) == []


def test_bases_and_made_up_posts_stay(tmp_path):
    assert found(tmp_path, "base/log", "test/posts/rain") == []


def test_answers_that_were_paid_for_stay(tmp_path):
    assert found(tmp_path, "test/answers/gpt") == []


def test_a_lock_is_no_work(tmp_path):
    assert found(tmp_path, "test/small/finetune/.plain.lock", "test/small/finetune/plane") == [
        "test/small/finetune/plane"
    ]


def test_the_listing_says_what_is_freed(tmp_path):
    work = work_in(tmp_path, "old")
    (work / "old" / "weights").write_bytes(b"0" * 3_000_000)
    (work / "old" / "checkpoint").write_bytes(b"0" * 2_000_000)
    (tmp_path / "results").hardlink_to(work / "old" / "weights")
    lines = listing([work / "old"]).splitlines()
    assert lines[1].split()[:2] == ["5.0", "MB"] and lines[2].startswith("Frees 2.0 MB")
    assert "Nothing to remove" in listing([])
