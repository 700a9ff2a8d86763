"""A work folder.

An equal key takes the finished result back, whole, whenever the one who kept it was killed.
"""

import hashlib
import json
import os
import shutil
from contextlib import suppress
from itertools import count

import pytest

from postgrad.runtime.result_cache import (
    COMPLETE,
    KEY,
    MODEL,
    collapsed_seeds,
    move_older_work,
    note_collapse,
    open_work,
    restore_result,
    result_folder,
    store_result,
)

ONE, TWO = ({"spec": {"node": "plain"}, "version": version} for version in (1, 2))
RESULTS = ["predictions.parquet", MODEL]  # a file and a folder
CHANGES = ("link", "rename", "replace", "unlink", "rmdir", "mkdir", "utime")


class Killed(BaseException):
    """As from a signal: no `except Exception` sees it."""


def kill_at(monkeypatch, step):
    """Let the `step`-th change of the disk raise, and each one after it.

    Who is killed tidies nothing up.
    """
    steps = count(1)

    def dying(change):
        def changed(*args, **options):
            if next(steps) >= step:
                raise Killed
            return change(*args, **options)

        return changed

    for name in CHANGES:
        monkeypatch.setattr(os, name, dying(getattr(os, name)))


def made(path, name, letter):
    """A finished result whose every byte is `letter`."""
    if name == MODEL:
        path.mkdir(parents=True)
        for file in ("config.json", "model.json", "weights"):
            (path / file).write_text(letter)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(letter)
    return path


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def content(path):
    return (
        {file.name: file.read_text() for file in path.iterdir()}
        if path.is_dir()
        else path.read_text()
    )


@pytest.mark.parametrize("name", RESULTS)
def test_an_equal_key_takes_the_result_back(tmp_path, name, capfd):
    out, work = made(tmp_path / "results" / "out", name, "a"), tmp_path / "work"
    before = content(out)
    assert not restore_result(work, ONE, out, name)
    store_result(work, ONE, out, name)
    marker = out / "model.json" if name == MODEL else out
    os.utime(marker, (1, 1))
    assert restore_result(work, ONE, out, name), (
        "over what stands there, of which it is a second name"
    )
    assert [path.name for path in out.parent.iterdir()] == ["out"]
    assert marker.stat().st_mtime > 1, "Snakemake takes an output older than its inputs for stale"
    os.rename(out, tmp_path / "elsewhere")
    assert restore_result(work, ONE, out, name) and content(out) == before
    assert names(work) == [result_folder(work, ONE).name] and names(result_folder(work, ONE)) == [
        KEY,
        name,
    ]
    told = capfd.readouterr().err.splitlines()
    assert (
        told
        == [
            f"plain: spec, version and inputs are as before; finished {name.split('.')[0]} restored"
        ]
        * 2
    )


@pytest.mark.parametrize("name", RESULTS)
def test_each_key_has_a_result_of_its_own_and_an_earlier_one_returns(tmp_path, name):
    work = tmp_path / "work"
    store_result(work, ONE, made(tmp_path / "one", name, "a"), name)
    assert not restore_result(work, TWO, tmp_path / "out", name) and not (tmp_path / "out").exists()
    store_result(work, TWO, made(tmp_path / "two", name, "b"), name)
    for key, source in ((ONE, "one"), (TWO, "two"), (ONE, "one")):
        assert restore_result(work, key, tmp_path / "out", name)
        assert content(tmp_path / "out") == content(tmp_path / source)
    assert len(names(work)) == 2


def test_the_folder_of_a_key_is_named_by_its_digest_and_explains_itself(tmp_path):
    store_result(tmp_path, ONE, made(tmp_path / "one", MODEL, "a"))
    folder = result_folder(tmp_path, ONE)
    text = (folder / KEY).read_text()
    assert json.loads(text) == ONE and folder.name == hashlib.sha256(text.encode()).hexdigest()[:16]


def test_the_time_of_the_key_says_when_its_result_was_last_used(tmp_path):
    store_result(tmp_path, ONE, made(tmp_path / "one", MODEL, "a"))
    os.utime(result_folder(tmp_path, ONE) / KEY, (1, 1))
    assert restore_result(tmp_path, ONE, tmp_path / "out")
    assert (result_folder(tmp_path, ONE) / KEY).stat().st_mtime > 1


@pytest.mark.parametrize("name", RESULTS)
def test_a_kill_at_any_moment_leaves_no_key_beside_what_is_not_its_own(tmp_path, name, monkeypatch):
    """Another result is kept beside one.

    The first is always found, the other whole or not at all.
    """
    done, found = False, 0
    for step in count(1):
        folder, whole = tmp_path / str(step), {}
        work = folder / "work"
        for key, letter in ((ONE, "a"), (TWO, "b")):
            whole[key["version"]] = content(made(folder / letter, name, letter))
        store_result(work, ONE, folder / "a", name)
        with suppress(Killed), monkeypatch.context() as patched:
            kill_at(patched, step)
            store_result(work, TWO, folder / "b", name)
            done = True
        assert all((path.parent / name).exists() for path in work.glob(f"*/{KEY}"))
        assert (
            restore_result(work, ONE, folder / "out", name) and content(folder / "out") == whole[1]
        )
        if restore_result(work, TWO, folder / "out", name):
            assert content(folder / "out") == whole[2]
            found += 1
        store_result(work, TWO, folder / "b", name)
        assert (
            restore_result(work, TWO, folder / "out", name) and content(folder / "out") == whole[2]
        )
        if done:
            break
    assert step > 5 and 1 <= found < step


@pytest.mark.parametrize("name", RESULTS)
def test_a_kill_while_it_is_taken_back_leaves_the_result_or_none(tmp_path, name, monkeypatch):
    work, one = tmp_path / "work", made(tmp_path / "one", name, "a")
    store_result(work, ONE, one, name)
    done = False
    for step in count(1):
        out = tmp_path / str(step)
        with suppress(Killed), monkeypatch.context() as patched:
            kill_at(patched, step)
            done = restore_result(work, ONE, out, name)
        assert content(result_folder(work, ONE) / name) == content(one) and (
            not out.exists() or content(out) == content(one)
        )
        if done:
            break
    assert step > 2 and out.exists()


@pytest.mark.parametrize("name", RESULTS)
def test_a_result_is_kept_on_another_disk_too(tmp_path, name, monkeypatch):
    """A mock: this machine has one disk, so os.link is made to fail as it does between two."""

    def refuse(source, target):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr("os.link", refuse)
    out = made(tmp_path / "one", name, "a")
    store_result(tmp_path / "work", ONE, out, name)
    assert content(result_folder(tmp_path / "work", ONE) / name) == content(out)
    assert restore_result(tmp_path / "work", ONE, tmp_path / "out", name) and content(
        tmp_path / "out"
    ) == content(out)


def test_what_is_no_result_is_not_taken_back_and_what_is_no_model_not_removed(tmp_path):
    work, out = tmp_path / "work", tmp_path / "out"
    store_result(work, ONE, made(tmp_path / "one", MODEL, "a"), MODEL)
    made(out / "inside", MODEL, "b")
    with pytest.raises(ValueError, match="contains folders"):
        restore_result(work, ONE, out, MODEL)
    (result_folder(work, ONE) / MODEL / "model.json").unlink()
    assert not restore_result(work, ONE, tmp_path / "new", MODEL), (
        "a folder without model.json is no model"
    )
    store_result(work, ONE, tmp_path / "one", MODEL)
    (result_folder(work, ONE) / KEY).unlink()
    assert (
        not restore_result(work, ONE, tmp_path / "new", MODEL) and not (tmp_path / "new").exists()
    )
    store_result(work, ONE, made(tmp_path / "predictions", RESULTS[0], "a"), RESULTS[0])
    with pytest.raises(IsADirectoryError):
        restore_result(work, ONE, tmp_path / "one", RESULTS[0])
    assert content(tmp_path / "one")["weights"] == "a"


def checkpoint(work, key, step, complete=True):
    folder = result_folder(work, key) / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    if complete:
        (folder / COMPLETE).touch()


def test_a_training_goes_on_from_the_newest_complete_checkpoint_and_another_key_starts_anew(
    tmp_path,
):
    assert open_work(tmp_path, ONE) is None
    for step, complete in ((9, True), (10, True), (11, False)):
        checkpoint(tmp_path, ONE, step, complete)
    assert open_work(tmp_path, ONE).name == "checkpoint-10"
    assert open_work(tmp_path, TWO) is None
    assert names(tmp_path) == [result_folder(tmp_path, TWO).name], (
        "what ONE left unfinished is gone"
    )
    assert names(result_folder(tmp_path, TWO)) == [KEY]


def test_a_training_of_another_key_leaves_a_finished_result_alone(tmp_path):
    store_result(tmp_path / "work", ONE, made(tmp_path / "one", MODEL, "a"))
    open_work(tmp_path / "work", TWO)
    checkpoint(tmp_path / "work", TWO, 9)
    assert restore_result(tmp_path / "work", ONE, tmp_path / "out")
    assert open_work(tmp_path / "work", TWO).name == "checkpoint-9", (
        "taking ONE back costs TWO nothing"
    )


def test_seeds_that_collapsed_are_those_of_the_key(tmp_path):
    open_work(tmp_path, ONE)
    checkpoint(tmp_path, ONE, 9)
    note_collapse(tmp_path, ONE, [1, 1001])
    assert collapsed_seeds(tmp_path, ONE) == [1, 1001] and collapsed_seeds(tmp_path, TWO) == []
    assert open_work(tmp_path, ONE) is None, (
        "the next seed does not go on from a checkpoint of the last one"
    )


def test_a_kill_while_old_work_is_removed_leaves_nothing_to_go_on_from(tmp_path, monkeypatch):
    done = False
    for step in count(1):
        work = tmp_path / str(step)
        open_work(work, ONE)
        checkpoint(work, ONE, 9)
        checkpoint(work, ONE, 10)
        with suppress(Killed), monkeypatch.context() as patched:
            kill_at(patched, step)
            open_work(work, TWO)
            done = True
        if done:
            break
        if step > 1:  # at the first nothing had changed yet
            assert (
                not restore_result(work, ONE, tmp_path / "out", MODEL)
                and open_work(work, ONE) is None
            )
    assert step > 5


@pytest.mark.parametrize("name", RESULTS)
def test_no_checkpoint_outlives_the_finished_result(tmp_path, name):
    """Neither one of this key, nor of another, nor one that a kill between keeping and removing
    left.
    """
    work, out = tmp_path / "work", made(tmp_path / "one", name, "a")
    open_work(work, ONE)
    checkpoint(work, ONE, 9)
    checkpoint(work, ONE, 10, complete=False)
    store_result(work, ONE, out, name)
    assert not list(work.rglob("checkpoint-*"))
    checkpoint(work, ONE, 10)
    assert restore_result(work, ONE, tmp_path / "out", name) and not list(
        work.rglob("checkpoint-*")
    )
    open_work(work, TWO)
    checkpoint(work, TWO, 8)
    open_work(work, ONE)
    store_result(work, ONE, out, name)
    assert not list(work.rglob("checkpoint-*"))
    assert names(work) == [result_folder(work, ONE).name] and names(result_folder(work, ONE)) == [
        KEY,
        name,
    ]


# -- the older layout: key.json and one result directly in the node's folder
# ------------------------


def older_work(folder, key, name, letter="a", steps=()):
    made(folder / name, name, letter)
    (folder / KEY).write_text(json.dumps(key, sort_keys=True))
    (folder / "progress.jsonl").touch()
    for step in steps:
        (folder / f"checkpoint-{step}").mkdir()
        (folder / f"checkpoint-{step}" / COMPLETE).touch()
    return folder


@pytest.mark.parametrize("name", RESULTS)
def test_finished_work_of_the_older_layout_is_taken_back(tmp_path, name):
    work = older_work(tmp_path / "work", ONE, name)
    assert not restore_result(work, TWO, tmp_path / "out", name)
    assert restore_result(work, ONE, tmp_path / "out", name)
    assert content(tmp_path / "out") == content(made(tmp_path / "same", name, "a"))
    assert names(work) == [result_folder(work, ONE).name]
    assert names(result_folder(work, ONE)) == sorted([KEY, name, "progress.jsonl"])
    older_work(tmp_path / "node/rain/dev", TWO, name, "b")
    move_older_work(tmp_path / "node", tmp_path / "node/rain/dev")
    assert restore_result(tmp_path / "node", TWO, tmp_path / "out", name)


def test_a_training_goes_on_from_a_checkpoint_of_the_older_layout(tmp_path):
    shutil.rmtree(older_work(tmp_path, ONE, MODEL, steps=(9, 10)) / MODEL)
    (tmp_path / "collapsed.json").write_text("[1]")
    assert collapsed_seeds(tmp_path, ONE) == [1]
    assert open_work(tmp_path, ONE) == result_folder(tmp_path, ONE) / "checkpoint-10"


@pytest.mark.parametrize("name", RESULTS)
@pytest.mark.parametrize("newer", ["none", "unfinished", "finished"])
def test_a_kill_at_any_moment_of_the_move_loses_no_finished_result(
    tmp_path, name, newer, monkeypatch
):
    """newer.

    What lies in the folder of the same key, since an older checkout may have run in between.
    """
    done = False
    for step in count(1):
        work, whole = tmp_path / str(step), made(tmp_path / f"whole-{step}" / "whole", name, "a")
        if newer == "finished":
            store_result(work, ONE, whole, name)
        elif newer == "unfinished":
            open_work(work, ONE)
            checkpoint(work, ONE, 9)
        older_work(work, ONE, name)
        with suppress(Killed), monkeypatch.context() as patched:
            kill_at(patched, step)
            move_older_work(work)
            done = True
        assert (
            not (result_folder(work, ONE) / KEY).exists()
            or (result_folder(work, ONE) / name).exists()
            or (newer == "unfinished")
        )
        assert restore_result(work, ONE, tmp_path / "out", name) and content(
            tmp_path / "out"
        ) == content(whole)
        if done:
            break
    assert step > 2 and names(work) == [result_folder(work, ONE).name]
