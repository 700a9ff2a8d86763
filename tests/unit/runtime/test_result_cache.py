"""A work folder: an equal key takes the finished result back, whole, whenever the one who kept it was killed."""

import os
from contextlib import suppress
from itertools import count

import pytest

from postgrad.runtime.result_cache import COMPLETE, MODEL, keep, open_work, restored

ONE, TWO = ({"spec": {"node": "plain"}, "version": version} for version in (1, 2))
RESULTS = ["predictions.parquet", MODEL]  # a file and a folder
CHANGES = ("link", "rename", "replace", "unlink", "rmdir", "mkdir", "utime")


class Killed(BaseException):
    """As from a signal: no `except Exception` sees it."""


def kill_at(monkeypatch, step):
    """Let the `step`-th change of the disk raise, and each one after it: who is killed tidies nothing up."""
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


def content(path):
    return {file.name: file.read_text() for file in path.iterdir()} if path.is_dir() else path.read_text()


@pytest.mark.parametrize("name", RESULTS)
def test_an_equal_key_takes_the_result_back(tmp_path, name, capfd):
    out, work = made(tmp_path / "results" / "out", name, "a"), tmp_path / "work"
    before = content(out)
    assert not restored(work, ONE, out, name)
    keep(work, ONE, out, name)
    vouching = out / "model.json" if name == MODEL else out
    os.utime(vouching, (1, 1))
    assert restored(work, ONE, out, name), "over what stands there, of which it is a second name"
    assert [path.name for path in out.parent.iterdir()] == ["out"]
    assert vouching.stat().st_mtime > 1, "Snakemake takes an output older than its inputs for stale"
    os.rename(out, tmp_path / "elsewhere")
    assert restored(work, ONE, out, name) and content(out) == before
    assert sorted(path.name for path in work.iterdir()) == ["key.json", name]
    told = capfd.readouterr().err.splitlines()
    assert told == [f"plain: spec, version and inputs are as before; finished {name.split('.')[0]} taken back"] * 2


@pytest.mark.parametrize("name", RESULTS)
def test_another_key_takes_nothing_back_and_its_result_takes_the_place(tmp_path, name):
    work = tmp_path / "work"
    keep(work, ONE, made(tmp_path / "one", name, "a"), name)
    assert not restored(work, TWO, tmp_path / "out", name)
    keep(work, TWO, made(tmp_path / "two", name, "b"), name)
    assert not restored(work, ONE, tmp_path / "out", name) and not (tmp_path / "out").exists()
    assert restored(work, TWO, tmp_path / "out", name) and content(tmp_path / "out") == content(tmp_path / "two")


@pytest.mark.parametrize("name", RESULTS)
def test_a_kill_at_any_moment_leaves_no_key_beside_what_is_not_its_own(tmp_path, name, monkeypatch):
    """Another result is kept in the place of one: what is found afterwards is the old, the new or none."""
    done, found = False, 0
    for step in count(1):
        folder, whole = tmp_path / str(step), {}
        work = folder / "work"
        for key, letter in ((ONE, "a"), (TWO, "b")):
            whole[key["version"]] = content(made(folder / letter, name, letter))
        keep(work, ONE, folder / "a", name)
        with suppress(Killed), monkeypatch.context() as patched:
            kill_at(patched, step)
            keep(work, TWO, folder / "b", name)
            done = True
        assert (work / name).exists() or not (work / "key.json").exists()
        for key in (ONE, TWO):
            if restored(work, key, folder / "out", name):
                assert content(folder / "out") == whole[key["version"]]
                found += 1
        keep(work, TWO, folder / "b", name)
        assert restored(work, TWO, folder / "out", name) and content(folder / "out") == whole[2]
        if done:
            break
    assert step > 5 and 2 <= found < step


@pytest.mark.parametrize("name", RESULTS)
def test_a_kill_while_it_is_taken_back_leaves_the_result_or_none(tmp_path, name, monkeypatch):
    work, one = tmp_path / "work", made(tmp_path / "one", name, "a")
    keep(work, ONE, one, name)
    done = False
    for step in count(1):
        out = tmp_path / str(step)
        with suppress(Killed), monkeypatch.context() as patched:
            kill_at(patched, step)
            done = restored(work, ONE, out, name)
        assert content(work / name) == content(one) and (not out.exists() or content(out) == content(one))
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
    keep(tmp_path / "work", ONE, out, name)
    assert content(tmp_path / "work" / name) == content(out)
    assert restored(tmp_path / "work", ONE, tmp_path / "out", name) and content(tmp_path / "out") == content(out)


def test_what_is_no_result_is_not_taken_back_and_what_is_no_model_not_removed(tmp_path):
    work, out = tmp_path / "work", tmp_path / "out"
    keep(work, ONE, made(tmp_path / "one", MODEL, "a"), MODEL)
    made(out / "inside", MODEL, "b")
    with pytest.raises(ValueError, match="holds folders"):
        restored(work, ONE, out, MODEL)
    (work / MODEL / "model.json").unlink()
    assert not restored(work, ONE, tmp_path / "new", MODEL), "a folder without model.json is no model"
    keep(work, ONE, tmp_path / "one", MODEL)
    (work / "key.json").unlink()
    assert not restored(work, ONE, tmp_path / "new", MODEL) and not (tmp_path / "new").exists()
    keep(work, ONE, made(tmp_path / "predictions", RESULTS[0], "a"), RESULTS[0])
    with pytest.raises(IsADirectoryError):
        restored(work, ONE, tmp_path / "one", RESULTS[0])
    assert content(tmp_path / "one")["weights"] == "a"


def checkpoint(work, step, complete=True):
    (work / f"checkpoint-{step}").mkdir(parents=True)
    if complete:
        (work / f"checkpoint-{step}" / COMPLETE).touch()


def test_a_training_goes_on_from_the_newest_complete_checkpoint_and_another_key_starts_anew(tmp_path):
    assert open_work(tmp_path, ONE) is None
    for step, complete in ((9, True), (10, True), (11, False)):
        checkpoint(tmp_path, step, complete)
    assert open_work(tmp_path, ONE).name == "checkpoint-10"
    assert open_work(tmp_path, TWO) is None
    assert [path.name for path in tmp_path.iterdir()] == ["key.json"]


def test_a_kill_while_old_work_is_removed_leaves_nothing_to_go_on_from(tmp_path, monkeypatch):
    done = False
    for step in count(1):
        work = tmp_path / str(step)
        keep(work, ONE, made(tmp_path / f"model{step}", MODEL, "a"), MODEL)
        checkpoint(work, 9)
        with suppress(Killed), monkeypatch.context() as patched:
            kill_at(patched, step)
            open_work(work, TWO)
            done = True
        if done:
            break
        if step > 1:  # at the first nothing had changed yet
            assert not restored(work, ONE, tmp_path / "out", MODEL) and open_work(work, ONE) is None
    assert step > 5


@pytest.mark.parametrize("name", RESULTS)
def test_no_checkpoint_outlives_the_finished_result(tmp_path, name):
    """Neither one of this key, nor of another, nor one that a kill between keeping and removing left."""
    work, out = tmp_path / "work", made(tmp_path / "one", name, "a")
    open_work(work, ONE)
    checkpoint(work, 9)
    checkpoint(work, 10, complete=False)
    keep(work, ONE, out, name)
    assert not list(work.glob("checkpoint-*"))
    checkpoint(work, 10)
    assert restored(work, ONE, tmp_path / "out", name) and not list(work.glob("checkpoint-*"))
    open_work(work, TWO)
    checkpoint(work, 8)
    keep(work, ONE, out, name)
    assert sorted(path.name for path in work.iterdir()) == ["key.json", name]
