"""locks.

Two jobs never work on one result, and no lock outlives who held it. Real processes throughout.
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from errno import ESTALE
from pathlib import Path
from types import SimpleNamespace

import made
import pytest

from postgrad.runtime import locks
from postgrad.runtime.locks import hold_lock, holder_record, lock_folder
from postgrad.runtime.result_cache import COMPLETE

SLURM = ("SLURM_JOB_ID", "SLURM_RESTART_COUNT")
# Holds the lock of argv[1]; argv[2] is a file that only one may have at a time; argv[3] seconds of
# work.
WORKER = """
import os, sys, time
from postgrad.runtime.locks import hold_lock
from postgrad.runtime.signals import handle_stop_signals
with handle_stop_signals(), hold_lock(sys.argv[1]):
    os.close(os.open(sys.argv[2], os.O_CREAT | os.O_EXCL))
    print("in", flush=True)
    time.sleep(float(sys.argv[3]))
    os.unlink(sys.argv[2])
"""

# Makes 200 processes that all want the lock of argv[1]; argv[2] is a file that only one may have at
# a time. Each notes itself in argv[3]. While they hold the lock, some tear their own lock file or
# empty it, and some are killed.
CROWD = """
import os, signal, sys, time
from postgrad.runtime import locks
from postgrad.runtime.locks import hold_lock, lock_folder
locks.PATIENCE = 0.5
work, busy, entered = sys.argv[1:]
def enter(i):
    with hold_lock(work):
        os.close(os.open(busy, os.O_CREAT | os.O_EXCL))
        (own,) = lock_folder(work).iterdir()
        if i % 10 in (1, 2):
            own.write_text(own.read_text()[:20] if i % 10 == 1 else "")
        time.sleep(0.005)
        with open(entered, "a") as file:
            file.write(f"{i} ")
        os.unlink(busy)
        if i % 10 == 3:
            os.kill(os.getpid(), signal.SIGKILL)
crowd = {}
for i in range(200):
    pid = os.fork()
    if not pid:
        code = 1
        try:
            enter(i)
            code = 0
        finally:
            os._exit(code)
    crowd[pid] = i
while crowd:
    pid, status = os.wait()
    print(crowd.pop(pid), os.waitstatus_to_exitcode(status), flush=True)
"""


@pytest.fixture(autouse=True)
def no_slurm(monkeypatch):
    for name in SLURM:
        monkeypatch.delenv(name, raising=False)


def worker(folder, seconds, **environment):
    command = [
        sys.executable,
        "-c",
        WORKER,
        str(folder / "work"),
        str(folder / "busy"),
        str(seconds),
    ]
    return subprocess.Popen(
        command,
        cwd=made.ROOT / "workflow/scripts",
        env=os.environ | environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def locked(work, age=0.0, text=None, **other):
    """The file of a lock that another holds, last touched `age` seconds ago.

    other: what differs from this process.
    """
    record = holder_record() | {"token": "theirs"} | other
    file = lock_folder(work) / "theirs"
    file.parent.mkdir()
    file.write_text(json.dumps(record) if text is None else text)
    os.utime(file, (time.time() - age,) * 2)
    return file


def squeue(folder, monkeypatch, body):
    """A squeue on PATH that runs `body` with its job's id as $3, and notes each call in `asked`."""
    path = folder / "bin" / "squeue"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\necho $3 >> {folder}/asked\n{body}\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", str(path.parent), prepend=os.pathsep)


def taken_in_time(work, seconds=5.0):
    """Whether the lock of `work` is ours within `seconds`.

    One that is not stays with who holds it.
    """
    begun = time.monotonic()
    with hold_lock(work):
        return time.monotonic() - begun < seconds


def still_waits(folder, looks, monkeypatch):
    """Whether a waiter stays out for so many looks and then comes in at once when the lock is given
    back.
    """
    seen = []

    def slept(seconds):
        seen.append(seconds)
        if len(seen) == looks:
            next(lock_folder(folder / "work").iterdir()).unlink()

    clock = SimpleNamespace(monotonic=time.monotonic, strftime=time.strftime, sleep=slept)
    monkeypatch.setattr(locks, "time", clock)  # of this module alone: subprocess sleeps as well
    with hold_lock(folder / "work"):
        return len(seen) == looks


def test_a_lock_is_given_back_after_the_body_and_after_an_exception(tmp_path):
    work = tmp_path / "deep" / "plain-seed=1"
    with hold_lock(work):
        files = list(lock_folder(work).iterdir())
        record = json.loads(files[0].read_text())
        assert (
            len(files) == 1
            and record["pid"] == os.getpid()
            and record["job"] is None
            and record["host"]
        )
        assert not work.exists(), "work of another key is removed whole, so its lock lies beside it"
    with pytest.raises(KeyError), hold_lock(work):
        raise KeyError
    assert list(work.parent.iterdir()) == []


def test_a_lock_costs_milliseconds(tmp_path):
    begun = time.monotonic()
    for _ in range(20):
        with hold_lock(tmp_path / "work"):
            pass
    assert (time.monotonic() - begun) / 20 < 0.1


@pytest.mark.parametrize("number", ["SIGTERM", "SIGUSR1", "SIGINT"])
def test_a_signal_gives_the_lock_back(tmp_path, number):
    one = worker(tmp_path, 60)
    assert one.stdout.readline() == "in\n"
    one.send_signal(getattr(signal, number))
    assert one.wait(timeout=20) != 0 and not lock_folder(tmp_path / "work").exists()


@pytest.mark.slow
def test_ten_processes_enter_one_at_a_time(tmp_path):
    """Over the lock of a process that is gone, which all ten find at once.

    `busy` fails where two are in.
    """
    with subprocess.Popen(["true"]) as gone:
        pass
    locked(tmp_path / "work", pid=gone.pid)
    workers = [
        worker(tmp_path, 0.5) for _ in range(10)
    ]  # on a busy machine they start 0.05 s and more apart
    ends = [one.communicate(timeout=60) for one in workers]
    assert [one.returncode for one in workers] == [0] * 10, [
        told for _, told in ends if "Error" in told
    ]
    assert sum("is gone; its lock is removed" in told for _, told in ends) >= 1
    assert list(tmp_path.iterdir()) == []
    assert any("works on this; waiting for its end" in told for _, told in ends)


def test_of_two_hundred_contenders_one_holds_the_lock_at_any_time(tmp_path):
    """Over torn, empty and abandoned lock files.

    A process that finds `busy` there ends with an error.
    """
    places = [tmp_path / name for name in ("work", "busy", "entered")]
    command = [sys.executable, "-c", CROWD, *map(str, places)]
    done = subprocess.run(
        command, cwd=made.ROOT / "workflow/scripts", capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0 and "Error" not in done.stderr, done.stderr[-2000:]
    ends = dict(map(int, line.split()) for line in done.stdout.splitlines())
    assert ends == {i: -signal.SIGKILL if i % 10 == 3 else 0 for i in range(200)}
    assert sorted(map(int, places[2].read_text().split())) == list(range(200))
    assert done.stderr.count("is gone; its lock is removed") >= 20
    assert [path.name for path in tmp_path.iterdir()] in (["entered"], ["entered", ".work.lock"])
    assert taken_in_time(places[0])


def test_of_two_who_find_a_holder_gone_the_slower_removes_nothing(tmp_path, monkeypatch):
    """Between its look and its removal the faster one comes in.

    A second lock in the place of the first.
    """
    work, gone = tmp_path / "work", locks.is_holder_gone
    old = locked(work, pid=4194305)

    def slow(theirs, mine, age):
        answer = gone(theirs, mine, age)
        if theirs["token"] == "theirs":
            old.unlink()
            (lock_folder(work) / "newer").write_text(json.dumps(holder_record()))
        return answer

    monkeypatch.setattr(locks, "is_holder_gone", slow)
    assert still_waits(tmp_path, 3, monkeypatch)


def test_waiters_take_over_from_a_killed_one(tmp_path):
    first = worker(tmp_path, 60)
    assert first.stdout.readline() == "in\n"
    others = [worker(tmp_path, 0.05) for _ in range(3)]
    for other in others:
        assert f"process {first.pid} on" in other.stderr.readline()
    (tmp_path / "busy").unlink()
    first.kill()  # and it stays a zombie until wait(): a killed one need not be reaped to be gone
    begun = time.monotonic()
    assert [other.wait(timeout=60) for other in others] == [0, 0, 0]
    assert time.monotonic() - begun < 20
    first.wait()
    assert list(tmp_path.iterdir()) == []


def test_a_later_process_of_the_same_number_is_not_the_holder(tmp_path, monkeypatch):
    locked(tmp_path / "work", begun="1")  # this process's own number, and another beginning
    assert taken_in_time(tmp_path / "work")
    locked(tmp_path / "work", age=1e6)
    assert still_waits(tmp_path, 5, monkeypatch), "a living holder's lock is never too old"


def test_a_silent_lock_of_another_machine_is_taken_and_a_touched_one_is_not(
    tmp_path, monkeypatch, capfd
):
    away = {"kernel": "another", "host": "node7", "pid": 1}
    locked(tmp_path / "work", age=locks.STALE + 5, **away)
    assert taken_in_time(tmp_path / "work")
    locked(tmp_path / "work", age=locks.STALE - 60, **away)
    assert still_waits(tmp_path, 5, monkeypatch)
    told = capfd.readouterr().err.splitlines()
    assert len(told) == 2 and "node7" in told[0] and "is gone" in told[0]
    assert told[1].startswith("work: process 1 on node7 since 20") and "waiting" in told[1]


@pytest.mark.parametrize("text", ["", '{"pid": 1', "[]", "{}", "\0" * 40])
def test_a_torn_lock_goes_by_its_age(tmp_path, text, monkeypatch):
    locked(tmp_path / "work", age=locks.STALE + 5, text=text)
    assert taken_in_time(tmp_path / "work")
    locked(tmp_path / "work", text=text)
    assert still_waits(tmp_path, 3, monkeypatch)


def test_an_empty_lock_is_no_lock(tmp_path, monkeypatch):
    """What a kill between the two steps of giving back leaves.

    Also where a folder cannot be renamed onto it.
    """
    rename = os.rename

    def refusing(source, target):
        if os.path.isdir(target):
            raise FileExistsError(17, "File exists")
        rename(source, target)

    for change in (rename, refusing):
        monkeypatch.setattr(os, "rename", change)
        lock_folder(tmp_path / "work").mkdir()
        assert taken_in_time(tmp_path / "work") and list(tmp_path.iterdir()) == []


def test_a_rename_whose_answer_was_lost_is_ours(tmp_path, monkeypatch):
    """As from a file server that did it and is asked again."""
    rename = os.rename

    def lost(source, target):
        rename(source, target)
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(os, "rename", lost)
    assert taken_in_time(tmp_path / "work") and list(tmp_path.iterdir()) == []


# -- a file server on which another machine removed what this one just found
# -------------------------


def stale(monkeypatch, place, name, times=10**6, done=False):
    """Let calls of `place.name` for files of the lock fail as with a stale handle.

    Done: after they did their work.
    """
    call, count = getattr(place, name), Counter()

    def failing(path, *rest, **options):
        if ".work.lock" in str(path) and count["calls"] < times:
            count["calls"] += 1
            if done:
                call(path, *rest, **options)
            raise OSError(ESTALE, "Stale file handle", str(path))
        return call(path, *rest, **options)

    monkeypatch.setattr(place, name, failing)
    return count


READING = [(Path, "iterdir"), (Path, "read_text"), (os, "rename")]


@pytest.mark.parametrize("place, name", READING)
def test_a_stale_handle_is_looked_at_again(tmp_path, place, name, monkeypatch):
    locked(tmp_path / "work", pid=4194305)
    with monkeypatch.context() as patched:
        count = stale(patched, place, name, times=3)
        assert taken_in_time(tmp_path / "work") and count["calls"] == 3
    assert list(tmp_path.iterdir()) == []
    locked(tmp_path / "work", age=1e6)
    stale(monkeypatch, place, name, times=3)
    with (
        pytest.raises(BlockingIOError, match=f"process {os.getpid()} on"),
        hold_lock(tmp_path / "work", wait=False),
    ):
        pass


@pytest.mark.parametrize("place, name", READING[:2])
def test_a_handle_that_stays_stale_counts_as_a_held_lock(tmp_path, place, name, monkeypatch):
    """Its holder may work on another machine.

    When the server finds the file again, the lock can be taken.
    """
    locked(tmp_path / "work", pid=4194305)
    with monkeypatch.context() as patched:
        stale(patched, place, name)
        with (
            pytest.raises(BlockingIOError, match="an unknown process"),
            hold_lock(tmp_path / "work", wait=False),
        ):
            pass
    assert taken_in_time(tmp_path / "work") and list(tmp_path.iterdir()) == []


def test_a_rename_whose_handle_stays_stale_ends_with_the_servers_error(tmp_path, monkeypatch):
    stale(monkeypatch, os, "rename")
    with pytest.raises(OSError, match="Stale file handle"), hold_lock(tmp_path / "work"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_vanishes_while_it_is_read_is_no_lock(tmp_path, monkeypatch):
    file, read = locked(tmp_path / "work"), Path.read_text

    def late(path, *rest, **options):
        if path == file:
            path.unlink()
        return read(path, *rest, **options)

    monkeypatch.setattr(Path, "read_text", late)
    assert taken_in_time(tmp_path / "work") and list(tmp_path.iterdir()) == []


def test_a_stale_handle_does_not_fail_who_gives_the_lock_back_or_removes_a_dead_holders(
    tmp_path, monkeypatch
):
    locked(tmp_path / "work", pid=4194305)
    count = stale(monkeypatch, Path, "unlink", done=True)
    assert taken_in_time(tmp_path / "work") and count["calls"] == 2
    assert list(tmp_path.iterdir()) == []


AWAY = {"kernel": "another", "host": "node7", "job": "41"}


@pytest.mark.parametrize("state", ["RUNNING", "PENDING", "COMPLETING", "SUSPENDED"])
def test_a_job_that_slurm_knows_holds_its_lock_however_old(tmp_path, state, monkeypatch, capfd):
    squeue(tmp_path, monkeypatch, f"echo {state}")
    locked(tmp_path / "work", age=1e6, **AWAY)
    assert still_waits(tmp_path, 4, monkeypatch)
    assert (tmp_path / "asked").read_text() == "41\n" * 4
    assert "work: SLURM job 41, process" in capfd.readouterr().err


@pytest.mark.parametrize(
    "body",
    [
        "echo slurm_load_jobs error: Invalid job id specified >&2; exit 1",
        "exit 0",
        "echo FAILED",
        "echo CANCELLED",
    ],
)
def test_a_job_that_slurm_knows_no_more_holds_nothing(tmp_path, body, monkeypatch):
    squeue(tmp_path, monkeypatch, body)
    locked(tmp_path / "work", **AWAY)  # touched just now
    assert taken_in_time(tmp_path / "work")


def test_where_slurm_does_not_answer_the_age_tells(tmp_path, monkeypatch):
    squeue(
        tmp_path,
        monkeypatch,
        "echo slurm_load_jobs error: Unable to contact slurm controller >&2; exit 1",
    )
    locked(tmp_path / "work", age=locks.STALE + 5, **AWAY)
    assert taken_in_time(tmp_path / "work")
    locked(tmp_path / "work", **AWAY)
    assert still_waits(tmp_path, 3, monkeypatch)


def test_a_requeued_job_takes_its_own_lock_and_its_neighbour_in_the_allocation_waits(
    tmp_path, monkeypatch
):
    squeue(tmp_path, monkeypatch, "echo RUNNING")
    monkeypatch.setenv("SLURM_JOB_ID", "41")
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    locked(tmp_path / "work", **AWAY, restarts=0)
    assert taken_in_time(tmp_path / "work"), "it ran before on another machine"
    locked(tmp_path / "work", pid=4194305, restarts=1)
    assert taken_in_time(tmp_path / "work"), "it ran on this one, and its process has ended"
    locked(tmp_path / "work", **AWAY, restarts=1, age=locks.STALE + 5)
    assert taken_in_time(tmp_path / "work"), "no count of restarts came through: its age tells"
    locked(tmp_path / "work", pid=os.getppid(), begun=locks.process_start(os.getppid()))
    assert still_waits(tmp_path, 3, monkeypatch), "two processes of one allocation have one id"


def test_a_held_lock_is_touched_and_a_holder_without_one_ends(tmp_path):
    code = "import sys; from postgrad.runtime import locks; locks.BEAT = 0.05\n" + WORKER
    command = [sys.executable, "-c", code, str(tmp_path / "work"), str(tmp_path / "busy"), "60"]
    one = subprocess.Popen(
        command,
        cwd=made.ROOT / "workflow/scripts",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert one.stdout.readline() == "in\n"
    file = next(lock_folder(tmp_path / "work").iterdir())
    os.utime(file, (1, 1))
    ends = time.monotonic() + 20
    while file.stat().st_mtime == 1 and time.monotonic() < ends:
        time.sleep(0.02)
    assert file.stat().st_mtime > 1
    file.unlink()
    assert one.wait(timeout=20) == locks.LOST and "taken away" in one.stderr.read()


def test_what_a_holder_gives_back_late_is_not_the_next_ones(tmp_path):
    """One that slept past its time, and whose lock was taken: it removes its own file, by name."""
    with hold_lock(tmp_path / "work"):
        next(lock_folder(tmp_path / "work").iterdir()).unlink()
        newer = lock_folder(tmp_path / "work") / "newer"
        newer.write_text("{}")
    assert newer.is_file()


def digests(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def finetuning(words):
    command = [sys.executable, "workflow/scripts/finetune.py", *words]
    return subprocess.Popen(command, cwd=made.ROOT, stderr=subprocess.PIPE, text=True)


def wait_for(condition, process):
    while process.poll() is None and not condition():
        time.sleep(0.01)
    assert process.poll() is None, process.stderr.read()


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("given")
    return {
        "base": made.made_base(folder / "encoder", "encoder"),
        "data": made.made_posts(folder / "train.parquet"),
    }


def test_the_second_of_two_trainings_takes_the_firsts_result_back(tmp_path, paths):
    spec = made.finetune_spec("encoder", epochs=20)
    work, out = tmp_path / "work", tmp_path / "out"
    words = made.arguments(spec, **paths, work=work, out=out)
    first = finetuning(words)
    wait_for(lambda: lock_folder(work).exists(), first)
    second = finetuning(words)
    told = [process.communicate(timeout=80)[1] for process in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0), told
    assert '"step"' in told[0] and '"step"' not in told[1]
    lines = told[1].splitlines()
    assert (
        len(lines) == 2
        and f"process {first.pid} on" in lines[0]
        and lines[1].endswith("model restored")
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "out.spec.json", "work"]
    begun = time.monotonic()
    assert finetuning(words).wait() == 0
    print(f"restored in {time.monotonic() - begun:.1f} s")


@pytest.mark.slow
def test_a_waiter_resumes_what_a_killed_holder_left(tmp_path, paths):
    spec = made.finetune_spec("encoder", epochs=24, dropout=0.1, checkpoint_steps=20)
    whole, work, out = tmp_path / "whole", tmp_path / "work", tmp_path / "out"
    first = finetuning(made.arguments(spec, **paths, work=work, out=out))
    wait_for(lambda: lock_folder(work).exists(), first)
    second = finetuning(made.arguments(spec, **paths, work=work, out=out))
    wait_for(lambda: list(work.glob(f"*/checkpoint-*/{COMPLETE}")), first)
    first.kill()
    assert (
        finetuning(made.arguments(spec, **paths, work=tmp_path / "whole-work", out=whole)).wait()
        == 0
    )
    told = second.communicate(timeout=80)[1]
    assert second.returncode == 0 and "is gone; its lock is removed" in told, told
    first.wait()
    timing = json.loads((out / "timing.json").read_text())
    assert timing["resumed"] and timing["steps"] == 144
    assert digests(out)["model.safetensors"] == digests(whole)["model.safetensors"]
    names = ["out", "out.spec.json", "whole", "whole-work", "whole.spec.json", "work"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names


def test_pretrain_and_predict_wait_as_well(tmp_path, paths):
    """Each tells whose lock it is and waits; a lock that is given back lets it in."""
    model = tmp_path / "model"
    words = made.arguments(
        made.linear_spec(),
        base=made.made_base(tmp_path / "floor", "linear"),
        data=paths["data"],
        work=tmp_path / "work",
        out=model,
    )
    assert finetuning(words).wait() == 0
    given = {
        "predict": (
            made.predict_spec("linear", node="floor"),
            {"model": model, "out": tmp_path / "dev.parquet"},
        ),
        "pretrain": (
            made.pretrain_spec("encoder", epochs=1),
            {"base": paths["base"], "out": tmp_path / "reader"},
        ),
    }
    for verb, (spec, options) in given.items():
        work = tmp_path / "works" / verb
        data = [*(["moods"] if verb == "pretrain" else []), "moods/dev", paths["data"]]
        words = made.arguments(spec, **options, data=data, work=work)
        work = (
            work / "moods/dev" if verb == "predict" else work
        )  # a dataset's predictions are kept by themselves
        with hold_lock(work):
            one = subprocess.Popen(
                [sys.executable, f"workflow/scripts/{verb}.py", *words],
                cwd=made.ROOT,
                stderr=subprocess.PIPE,
                text=True,
            )
            assert f"{work.name}: process {os.getpid()} on" in one.stderr.readline()
            assert not options["out"].exists() and not work.exists()
        told = one.communicate(timeout=60)[1]
        assert one.returncode == 0 and options["out"].exists(), told
    assert not [path for path in tmp_path.rglob(".*")]
