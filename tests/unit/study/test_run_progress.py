"""How far a run is, from the files that its jobs write."""

import json
import os
import subprocess
import sys
import time

import pytest
from tree import ROOT

from postgrad.runtime.locks import hold_lock
from postgrad.study import run_progress
from postgrad.study.run_progress import DONE, FAILED, RUNNING, WAITING, RunJob, Stage

LINE = {"step": 30, "of": 100, "epoch": 0.3, "loss": 0.51234, "tokens_per_s": 1500, "eta_s": 70.0}
NAMES = ("done", "trains", "begins", "failed", "waits")
STATES = [DONE, RUNNING, RUNNING, FAILED, WAITING]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run of five trainings, each in another state, and one vote that waits."""
    monkeypatch.chdir(tmp_path)
    jobs = [
        RunJob("finetune", "small", name, f"results/{name}/model.json", f"work/test/log/{name}.log")
        for name in NAMES
    ]
    old = tmp_path / "results/waits/model.json"  # of an earlier run, and made again in this one
    old.parent.mkdir(parents=True)
    old.touch()
    os.utime(old, (1, 1))
    run_progress.write_plan(
        "test", [*jobs, RunJob("vote", "small", "both", "results/both.parquet", "")]
    )
    plan = run_progress.read_plan("test")
    (tmp_path / "results/done").mkdir()
    (tmp_path / "results/done/model.json").touch()
    (tmp_path / "work/test/log").mkdir()
    for name in NAMES[1:4]:
        (tmp_path / f"work/test/log/{name}.log").write_text(
            "python finetune.py\n" + "finetune: no posts\n" * (name == "failed")
        )
    folder = tmp_path / "work/test/small/finetune/trains/0123456789abcdef"
    folder.mkdir(parents=True)
    whole = json.dumps({**LINE, "step": 1}) + "\n" + json.dumps(LINE) + "\n"
    (folder / "progress.jsonl").write_text(whole + '{"step": 31, "of"')
    return plan


def test_each_job_has_the_state_that_its_files_show(run):
    states = run_progress.states_of_jobs(run)
    assert [state for _, state in states] == [*STATES, WAITING]
    assert run_progress.stages(states) == [
        Stage("finetune", 5, done=1, running=2, failed=1),
        Stage("vote", 1, done=0, running=0, failed=0),
    ]


def test_a_training_shows_its_last_whole_line(run):
    states = run_progress.states_of_jobs(run)
    trains, begins = run_progress.trainings(run, states, ["finetune"])
    assert (trains.node, trains.step, trains.of, trains.loss) == ("trains", 30, 100, 0.51234)
    assert trains.tokens_per_second == 1500 and 60 < trains.left <= 70
    assert (begins.node, begins.step, begins.left) == ("begins", None, None)


def test_a_line_of_an_earlier_run_is_not_shown(run):
    file = next(run_progress.Path("work").rglob("progress.jsonl"))
    os.utime(file, (1, 1))
    assert run_progress.last_progress(file.parents[1], run) == {}
    file.write_text("")
    assert run_progress.last_progress(file.parents[1], run) == {}


def test_a_run_is_alive_while_it_holds_its_lock(run):
    assert not run_progress.is_alive("test")
    with hold_lock("work/test/run"):
        assert run_progress.is_alive("test")
        file = next(run_progress.lock_folder(run_progress.Path("work/test/run")).iterdir())
        os.utime(file, (time.time() - 1000,) * 2)
        assert not run_progress.is_alive("test"), "its machine went down"


def watch(*arguments):
    return subprocess.run(
        [sys.executable, str(ROOT / "workflow/watch.py"), *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "workflow/scripts"), "COLUMNS": "100"},
    )


def test_one_frame_is_drawn(run):
    with hold_lock("work/test/run"):
        done = watch("--study", "test", "--once")
    assert done.returncode == 0, done.stderr
    assert "Study test: 1 of 6 jobs done, running for" in done.stdout
    lines = [line.split() for line in done.stdout.splitlines()]
    assert [words for words in lines if words[:1] == ["finetune"]][0][-3:] == ["1/5", "2", "1"]
    assert ["small/trains", "30/100", "0.5123", "1,500"] in [words[:4] for words in lines]
    assert "work/test/log/failed.log" in done.stdout


def test_it_ends_with_the_run(run):
    done = watch("--study", "test")
    assert done.returncode == 0 and "no longer running" in done.stdout
    done = watch("--study", "other")
    assert done.returncode == 1 and "no run of study other has begun" in done.stderr
