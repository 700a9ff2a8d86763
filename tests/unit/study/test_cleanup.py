"""clean_work.

What no study refers to goes, earlier results go by age and size, what is in use stays.
"""

import json
import os
import time
from types import SimpleNamespace

import pytest
import yaml
from study_files import SCALE, write_config

from postgrad.runtime.locks import hold_lock
from postgrad.runtime.result_cache import KEY, MODEL, open_work, result_folder, store_result
from postgrad.study import cleanup
from postgrad.study.cleanup import listing_text, plan_cleanup, unreferenced_folders


def work_in(folder, *names):
    for name in names:
        (folder / name).mkdir(parents=True)
        (folder / name / "key.json").write_text("{}")
    return folder


def found(folder, *names, **changes):
    root = write_config(folder / "config", **changes)
    work = work_in(folder / "work", *names)
    return [str(path.relative_to(work)) for path in unreferenced_folders(root, work)]


def test_nodes_recipes_and_studies_that_are_gone_are_left_over(tmp_path):
    gone = [
        "test/small/finetune/plane@seed=1",
        "test/small/predict/plane@seed=1",
        "test/smal/finetune/one",
        "tets/small",
    ]
    here = [
        "test/small/finetune/plain@seed=1",
        "test/small/pretrain/reader",
        "test/small/predict/one",
        "test/log",
    ]
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
    """A scale may be named on the command line.

    One that lacks a base of the recipe says nothing.
    """
    root = write_config(
        tmp_path / "config", scale=lambda scale: scale["bases"]["big"].update(model=None)
    )
    (root / "scales/large.yaml").write_text(yaml.safe_dump(SCALE))
    (root / "scales/less.yaml").write_text(yaml.safe_dump({"bases": {}}))
    work = work_in(
        tmp_path / "work", "test/small/finetune/plain@seed=1", "test/small/finetune/plane"
    )
    assert unreferenced_folders(root, work) == [work / "test/small/finetune/plane"]


def test_a_study_that_extends_another_refers_to_its_nodes(tmp_path):
    root = write_config(tmp_path / "config")
    (root / "studies/wider.yaml").write_text(yaml.safe_dump({"extends": "test", "seeds": 3}))
    work = work_in(
        tmp_path / "work", "wider/small/finetune/plain@seed=1", "wider/small/finetune/plane"
    )
    assert unreferenced_folders(root, work) == [work / "wider/small/finetune/plane"]


def test_a_task_above_the_cap_is_referred_to(tmp_path):
    def twice(recipe):
        recipe.update(tasks={"rain": "rain", "snow": "rain"}, compare={})
        recipe["for"] = {"task": ["rain", "snow"]}
        recipe["datasets"], recipe["predictors"] = {}, {}
        recipe["models"] = {"plain": {"finetune": "big", "data": ["task/train"]}}

    here = ["test/small/finetune/rain-plain@seed=1", "test/small/finetune/snow-plain@seed=1"]
    gone = "test/small/finetune/plain@seed=1"
    assert found(
        tmp_path, *here, gone, recipe=twice, study=lambda study: study.update(tasks=1)
    ) == [gone]


def test_a_recipe_that_no_study_asks_for_is_referred_to(tmp_path):
    """The target all_recipes makes it."""
    config = write_config(tmp_path / "config")
    (config / "recipes/other.yaml").write_text((config / "recipes/small.yaml").read_text())
    work = work_in(
        tmp_path / "work",
        "test/other/finetune/plain@seed=1",
        "test/other/finetune/plane",
        "test/third",
    )
    gone = [work / "test/other/finetune/plane", work / "test/third"]
    assert unreferenced_folders(config, work) == gone


def test_a_study_that_cannot_be_read_keeps_everything(tmp_path):
    assert (
        found(
            tmp_path,
            "test/small/finetune/plane",
            recipe=lambda recipe: recipe["models"].update(plain={}),
        )
        == []
    )


def test_bases_and_made_up_posts_stay(tmp_path):
    assert found(tmp_path, "base/log", "test/posts/rain") == []


def test_answers_that_were_paid_for_stay(tmp_path):
    assert found(tmp_path, "test/answers/gpt") == []


def test_a_lock_is_no_work(tmp_path):
    assert found(tmp_path, "test/small/finetune/.plain.lock", "test/small/finetune/plane") == [
        "test/small/finetune/plane"
    ]


# -- results of earlier settings
# --------------------------------------------------------------------

NODE = "test/small/finetune/plain@seed=1"
DAY = 86400.0


def key(lr, **spec):
    return {"spec": {"node": "plain@seed=1", "lr": lr, **spec}, "version": 1}


def tree(folder):
    """The folders config, work and results of one tree, results of `plain` in it at three rates.

    1 MB, 2 MB, 3 MB.
    """
    root, work = write_config(folder / "config"), folder / "work"
    for megabytes, days in ((1, 40), (2, 20), (3, 0)):
        model(folder, key(megabytes / 1000), megabytes * 10**6, days)
    return root, work


def model(folder, key, size, days):
    """Train `plain` as if so many days ago: its result stands in results/ and is kept in work/."""
    out = folder / "results" / NODE
    out.mkdir(parents=True, exist_ok=True)
    for name, content in (("weights", b"0" * size), ("model.json", json.dumps(key).encode())):
        (out / name).unlink(missing_ok=True)
        (out / name).write_bytes(content)
    open_work(folder / "work" / NODE, key)
    store_result(folder / "work" / NODE, key, out)
    used(folder, key, days)


def used(folder, key, days):
    os.utime(result_folder(folder / "work" / NODE, key) / KEY, (time.time() - days * DAY,) * 2)


def rates(results):
    return [json.loads((result.folder / KEY).read_text())["spec"]["lr"] for result in results]


@pytest.mark.parametrize(
    "older_than, keep_gb, removed",
    [
        (None, None, []),
        (30, None, [0.001]),
        (10, None, [0.001, 0.002]),
        (50, None, []),
        (None, 0.004, []),
        (None, 0.0025, [0.001]),
        (None, 0, [0.001, 0.002]),
        (30, 0.004, [0.001]),
        (50, 0.0025, [0.001]),
    ],
)
def test_earlier_results_go_by_age_and_by_size(tmp_path, older_than, keep_gb, removed):
    found = plan_cleanup(older_than, keep_gb, *tree(tmp_path))
    assert rates(found.earlier) == [0.001, 0.002] and rates(found.in_use) == [0.003]
    assert rates(found.removed) == removed and found.unknown == []


def test_the_setting_that_was_used_last_stays_and_so_does_what_stands_in_results(tmp_path):
    root, work = tree(tmp_path)
    used(
        tmp_path, key(0.002), -1
    )  # as after shuffled times: what stands in results/ was used before
    found = plan_cleanup(0, 0, root, work)
    assert rates(found.removed) == [0.001] and sorted(rates(found.in_use)) == [0.002, 0.003]
    (tmp_path / "results" / NODE / "model.json").unlink()
    assert rates(plan_cleanup(0, 0, root, work).in_use) == [0.002]


def test_each_dataset_and_shard_of_a_prediction_has_a_setting_in_use(tmp_path):
    root, work = write_config(tmp_path / "config"), tmp_path / "work"
    node, table = work / "test/small/predict/plain@seed=1", tmp_path / "dev.parquet"
    table.write_text("")
    keys = [key(rate, dataset=dataset) for dataset in ("rain/dev", "rain/test") for rate in (1, 2)]
    keys += [{**key(3, dataset="rain/dev"), "shard": f"{shard}-of-2"} for shard in (1, 2)]
    for one in keys:
        store_result(node, one, table, table.name)
    found = plan_cleanup(0, 0, root, work)
    assert rates(found.removed) == [1, 1] and rates(found.in_use) == [2, 2, 3, 3]


def test_a_training_that_is_not_finished_is_in_use_until_another_setting_is(tmp_path):
    root, work = tree(tmp_path)
    folder = result_folder(work / NODE, key(0.004))
    open_work(work / NODE, key(0.004))
    (folder / "checkpoint-5").mkdir()
    assert rates(plan_cleanup(0, 0, root, work).in_use) == [0.003, 0.004]
    used(tmp_path, key(0.004), 60)
    found = plan_cleanup(50, None, root, work)
    assert rates(found.removed) == [0.004] and "not finished" in listing_text(found)


def test_results_of_a_node_that_is_gone_stand_in_the_list_once(tmp_path):
    root, work = write_config(tmp_path / "config"), tmp_path / "work"
    table = tmp_path / "table.parquet"
    table.write_text("")
    for rate in (1, 2):
        store_result(work / "test/small/finetune/plane", key(rate), table, table.name)
    found = plan_cleanup(0, 0, root, work)
    assert [held.folder for held in found.unknown] == [work / "test/small/finetune/plane"]
    assert found.earlier == found.in_use == []


def test_work_of_the_older_layout_is_no_earlier_result(tmp_path):
    assert found(tmp_path, NODE) == []
    assert plan_cleanup(0, 0, tmp_path / "config", tmp_path / "work").removed == []


def test_the_listing_says_what_is_held_and_freed_and_how_settings_differ(tmp_path):
    root, work = tree(tmp_path)
    old = work_in(work, "old") / "old"
    (old / "weights").write_bytes(b"0" * 3_000_000)
    (old / "checkpoint").write_bytes(b"0" * 2_000_000)
    (tmp_path / "other-name").hardlink_to(old / "weights")
    lines = listing_text(plan_cleanup(30, None, root, work)).splitlines()
    assert lines[0] == "1 folder in work/ to which no study refers:"
    assert lines[1].split()[:3] == ["remove", "5.0", "MB"] and lines[1].endswith(str(old))
    assert lines[2].startswith("2 folders in work/ with results of earlier settings")
    assert lines[3].split()[:6] == ["remove", "1.0", "MB", "used", "40", "days"]
    assert lines[3].endswith("(lr 0.001 -> 0.003)") and lines[4].split()[0] == "keep"
    assert lines[5].startswith(
        "1 folder in work/ with results in use: 3.0 MB, of which 3.0 MB are shared"
    )
    assert "older_than=DAYS" in lines[6] and lines[7].startswith("Frees 3.0 MB")
    (tmp_path / "empty").mkdir()
    assert "Nothing to remove" in listing_text(plan_cleanup(root=root, work=tmp_path / "empty"))


def test_what_the_list_says_is_removed_is_removed_and_a_folder_at_work_is_not(
    tmp_path, monkeypatch, capsys
):
    root, work = tree(tmp_path)
    old = work_in(work, "old", "tets/small") / "old"
    monkeypatch.chdir(tmp_path)
    with hold_lock(old):
        cleanup.main(["older_than=30", "keep_gb=1"])
    told = capsys.readouterr()
    assert (
        f"{old.relative_to(tmp_path)} stays: " in told.err
        and old.is_dir()
        and not (work / "tets").exists()
    )
    assert (
        not result_folder(work / NODE, key(0.001)).exists()
        and len(list((work / NODE).iterdir())) == 2
    )
    with hold_lock(work / NODE):
        cleanup.main(["older_than=10"])
    assert len(list((work / NODE).iterdir())) == 2 and not old.exists()
    cleanup.main(["older_than=10.5"])
    assert [path.name for path in (work / NODE).iterdir()] == [
        result_folder(work / NODE, key(0.003)).name
    ]
    assert (
        (work / NODE)
        .joinpath(result_folder(work / NODE, key(0.003)).name, MODEL, "weights")
        .is_file()
    )


def test_a_kill_while_a_folder_is_removed_leaves_no_key(tmp_path, monkeypatch):
    _, work = tree(tmp_path)

    def killed(path):
        raise KeyboardInterrupt

    monkeypatch.setattr(cleanup, "shutil", SimpleNamespace(rmtree=killed))  # of this module alone
    with pytest.raises(KeyboardInterrupt):
        cleanup.remove_folder(work / NODE)
    assert not list(work.rglob(KEY)) and len(list((work / NODE).glob(f"*/{MODEL}"))) == 3
