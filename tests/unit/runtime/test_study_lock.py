"""runs.

One run of a study at a time, and none beside jobs that a killed one left. test_faults has the real
cluster.
"""

import os
import subprocess
import sys
import time
from errno import ESTALE
from pathlib import Path
from types import SimpleNamespace

import made
import pytest

from postgrad.runtime import study_lock

# A run of study `a` that sends jobs called argv[1], until its standard input ends.
RUN = """
import sys
from postgrad.runtime.study_lock import begin_run
try:
    begin_run("a", sys.argv[1] or None, sys.argv[2])
except BlockingIOError as fault:
    sys.exit(str(fault))
print("in", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def run(tmp_path):
    """A function that starts a run, whose squeue prints the file `queue` where there is one and
    fails where not.
    """
    squeue = tmp_path / "bin/squeue"
    squeue.parent.mkdir()
    squeue.write_text(f"#!/bin/sh\necho $* >> {tmp_path}/asked\ncat {tmp_path}/queue\n")
    squeue.chmod(0o755)
    started = []

    def start(name, path=f"{squeue.parent}:{os.environ['PATH']}"):
        code = RUN.replace(
            "try:",
            "import postgrad.runtime.study_lock as study_lock\nstudy_lock.PAUSE = 0.05\ntry:",
            1,
        )
        command = [sys.executable, "-c", code, name, str(tmp_path / "work")]
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        started.append(
            subprocess.Popen(
                command,
                cwd=made.ROOT / "workflow/scripts",
                env=os.environ | {"PATH": path},
                text=True,
                **pipes,
            )
        )
        return started[-1]

    yield start
    for one in started:
        if one.poll() is None:
            one.kill()
        one.communicate()


def test_a_second_run_is_told_off_until_the_first_has_ended_or_was_killed(run, tmp_path):
    (tmp_path / "queue").write_text("")
    first = run("one")
    assert first.stdout.readline() == "in\n"
    second = run("two")
    said = second.communicate()[1]
    assert (
        second.returncode == 1
        and said.startswith(f"process {first.pid} on ")
        and "run.lock" in said
    )
    assert len(said.splitlines()) == 1
    assert (tmp_path / "work/a/run").read_text() == "one"
    first.kill()
    third = run("three")
    assert third.stdout.readline() == "in\n"
    third.communicate()
    assert third.returncode == 0 and (tmp_path / "work/a/run").read_text() == "three"
    assert [path.name for path in (tmp_path / "work/a").iterdir()] == ["run"]
    assert "-n one " in (tmp_path / "asked").read_text()


def test_a_run_waits_for_the_jobs_of_the_last_one_and_tells_which(run, tmp_path):
    (tmp_path / "work/a").mkdir(parents=True)
    (tmp_path / "work/a/run").write_text("old")
    (tmp_path / "queue").write_text("12\n9\n12\n")
    one = run("new")
    assert one.stderr.readline() == (
        "a: an earlier run left SLURM jobs 9, 12; waiting for their end "
        "(to end them now: scancel --name=old)\n"
    )
    (tmp_path / "queue").write_text("12\n")
    assert "SLURM jobs 12;" in one.stderr.readline()
    assert (tmp_path / "work/a/run").read_text() == "old", (
        "killed now, it must not hide them from the next one"
    )
    (tmp_path / "queue").unlink()
    assert "SLURM jobs unknown (cat: " in one.stderr.readline(), (
        "a controller that is away proves nothing"
    )
    (tmp_path / "queue").write_text("")
    assert one.stdout.readline() == "in\n" and (tmp_path / "work/a/run").read_text() == "new"


def test_a_run_that_sends_no_jobs_waits_as_well_and_leaves_the_name(run, tmp_path):
    (tmp_path / "work/a").mkdir(parents=True)
    (tmp_path / "work/a/run").write_text("old")
    (tmp_path / "queue").write_text("7\n")
    one = run("")
    assert "SLURM jobs 7;" in one.stderr.readline()
    (tmp_path / "queue").write_text("")
    assert one.stdout.readline() == "in\n" and (tmp_path / "work/a/run").read_text() == "old"


def test_the_name_of_a_runs_jobs_is_that_of_its_executor_if_there_is_one():
    """tests/cluster/test_slurm.py holds it to the name that sbatch is given."""
    slurm = SimpleNamespace(run_uuid="6d1f")
    assert study_lock.jobs_name(SimpleNamespace(_executor=slurm)) == "6d1f"
    for scheduler in (SimpleNamespace(_executor=object()), SimpleNamespace(executor=slurm), None):
        assert study_lock.jobs_name(scheduler) is None


def test_where_there_is_no_slurm_nothing_is_waited_for(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    begun = time.monotonic()
    study_lock.await_jobs("old", "a")
    assert time.monotonic() - begun < 1


@pytest.mark.parametrize("text", ["", "\n"])
def test_an_empty_name_of_jobs_asks_for_none(run, tmp_path, text):
    """squeue would list every job of the cluster for it."""
    (tmp_path / "work/a").mkdir(parents=True)
    (tmp_path / "work/a/run").write_text(text)
    (tmp_path / "queue").write_text("7\n")
    assert run("new").stdout.readline() == "in\n" and not (tmp_path / "asked").exists()


def test_the_name_of_jobs_is_read_again_where_its_file_handle_is_stale(tmp_path, monkeypatch):
    (tmp_path / "run").write_text("old")
    read, left = Path.read_text, [3]

    def failing(path, *rest, **options):
        left[0] -= 1
        if left[0] >= 0:
            raise OSError(ESTALE, "Stale file handle")
        return read(path, *rest, **options)

    monkeypatch.setattr(Path, "read_text", failing)
    assert (
        study_lock.read_jobs_name(tmp_path / "run") == "old"
        and study_lock.read_jobs_name(tmp_path / "none") == ""
    )
    left[0] = 10**6
    with pytest.raises(OSError, match="try again later"):
        study_lock.read_jobs_name(tmp_path / "run")
