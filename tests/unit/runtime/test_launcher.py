"""Ranks as plain processes: what each finds in its environment, what srun is asked for, and how all
of them end.

The ranks here are small scripts without torch; tests/cluster/test_ranks.py trains in real ones.
"""

import json
import os
import signal
import subprocess
import sys
import time
from argparse import ArgumentParser, Namespace

import pytest
from tree import ROOT

from postgrad.runtime import launcher, signals

JOB = {"SLURM_JOB_ID": "7"}


def machine(**given):
    return Namespace(**{"nodes": 1, "ranks": 1, "zero": 0, "cpus": None} | given)


# -- pure functions --------------------------------------------------------------------------------


def test_what_srun_is_asked_for():
    words = launcher.srun_words(4, 8, 8, JOB)
    assert words == [
        "srun",
        "--export=ALL",
        "--nodes=4",
        "--ntasks=32",
        "--ntasks-per-node=8",
        "--cpus-per-task=8",
        "--kill-on-bad-exit=0",
        "--wait=30",
    ]
    assert launcher.srun_words(4, 8, 8, JOB | {"CUDA_VISIBLE_DEVICES": ""}) == words
    assert launcher.srun_words(4, 8, 8, JOB | {"CUDA_VISIBLE_DEVICES": "0,1"}) == [
        *words,
        "--gpus-per-node=8",
    ]
    with pytest.raises(ValueError, match="--nodes 4 needs a SLURM job of 4 nodes"):
        launcher.srun_words(4, 8, 8, {})


@pytest.mark.parametrize(
    ("ranks", "threads", "cpus", "each"),
    [(8, 16, 64, 8), (3, 1, 64, 21), (2, 4, None, 4), (2, 1, 2, 1)],
)
def test_the_cpus_of_a_node_are_shared_among_its_ranks(ranks, threads, cpus, each):
    assert launcher.cpus_per_rank(ranks, threads, cpus) == each


def test_fewer_cpus_than_ranks_are_refused():
    with pytest.raises(ValueError, match="--cpus 7 --ranks 8: each rank needs a CPU; ask for 8"):
        launcher.cpus_per_rank(8, 1, 7)


def test_what_all_ranks_find_in_their_environment(monkeypatch):
    for name in ("OMP_NUM_THREADS", "TORCH_CPP_LOG_LEVEL"):
        monkeypatch.delenv(name, raising=False)
    assert launcher.common_environment(32, 8, "node1", 20007, "srun") == {
        "POSTGRAD_LAUNCHER": "srun",
        "WORLD_SIZE": "32",
        "LOCAL_WORLD_SIZE": "8",
        "MASTER_ADDR": "node1",
        "MASTER_PORT": "20007",
        "OMP_NUM_THREADS": "1",
        "TORCH_CPP_LOG_LEVEL": "ERROR",
    }


def test_the_options_of_a_training():
    parser = ArgumentParser()
    launcher.add_arguments(parser)
    assert parser.parse_args([]) == machine()
    words = "--nodes 4 --ranks 8 --zero 3 --cpus 64".split()
    assert parser.parse_args(words) == machine(nodes=4, ranks=8, zero=3, cpus=64)


@pytest.mark.parametrize(
    ("failed", "sentence"),
    [
        ({1: 3}, "rank 1 with exit code 3; the others of the 3 ranks were ended"),
        (
            {2: -9, 0: 1},
            "rank 2 with SIGKILL, rank 0 with exit code 1; the others of the 3 ranks were ended",
        ),
        (
            {0: 1, 1: 1, 2: -15},
            "rank 0 with exit code 1, rank 1 with exit code 1, rank 2 with SIGTERM",
        ),
    ],
)
def test_the_sentence_names_the_ranks_and_their_codes(failed, sentence):
    assert (
        launcher.failure_message(failed, 3)
        == f"launcher: ranks ended before their work was complete: {sentence}"
    )


# -- a process that trains itself ------------------------------------------------------------------


def test_one_process_trains_itself_whatever_rank_the_shell_names(monkeypatch):
    for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE", "SLURM_PROCID"):
        monkeypatch.setenv(name, "3")
    assert not signals.is_rank()
    launcher.launch_ranks("finetune.py", [], machine(), threads=1)


@pytest.mark.parametrize("given", [{"nodes": 0}, {"ranks": 0}, {"zero": 4}])
def test_numbers_out_of_range_are_refused(given):
    with pytest.raises(ValueError, match="give 1 or more, 1 or more, and 0, 1, 2 or 3"):
        launcher.launch_ranks("finetune.py", [], machine(**given), threads=1)


def test_a_rank_of_another_number_of_ranks_is_refused():
    told = in_a_rank(
        "launcher.begin_rank(8)", POSTGRAD_LAUNCHER=str(os.getpid()), WORLD_SIZE="4", RANK="0"
    )
    assert "4 ranks were started, and --nodes times --ranks asks for 8" in told.stderr


def test_a_rank_whose_launcher_has_ended_does_not_begin():
    told = in_a_rank("launcher.begin_rank(1)", POSTGRAD_LAUNCHER="1", WORLD_SIZE="1", RANK="0")
    assert told.returncode == 1 and "launched this rank has ended" in told.stderr


def test_a_rank_takes_its_number_from_srun():
    told = in_a_rank(
        "launcher.begin_rank(4); print(os.environ['RANK'], os.environ['LOCAL_RANK'])",
        **{
            "POSTGRAD_LAUNCHER": "srun",
            "WORLD_SIZE": "4",
            "SLURM_PROCID": "3",
            "SLURM_LOCALID": "1",
        },
    )
    assert told.stdout == "3 1\n"


def in_a_rank(code, **environment):
    command = [sys.executable, "-c", f"import os\nfrom postgrad.runtime import launcher\n{code}"]
    options = {"capture_output": True, "text": True, "timeout": 60, "env": os.environ | environment}
    return subprocess.run(command, cwd=ROOT / "workflow/scripts", **options)


# -- several processes -----------------------------------------------------------------------------

# The launching process: it holds a lock, and once a rank has failed it gives the others two
# seconds.
LAUNCHING = """
import sys
from postgrad.runtime import launcher
from postgrad.runtime.locks import hold_lock
from postgrad.runtime.signals import handle_stop_signals
with handle_stop_signals(), hold_lock("work"):
    code = launcher.run_ranks([sys.executable, "rank.py"], int(sys.argv[1]), grace=2)
assert "torch" not in sys.modules
sys.exit(code)
"""
RANK = f"""
import json, os, pathlib, signal, sys, time
sys.path.insert(0, {str(ROOT / "workflow/scripts")!r})
from postgrad.runtime import launcher, signals
rank, mine = int(os.environ["RANK"]), pathlib.Path("told", os.environ["RANK"])
"""


@pytest.fixture
def launch(tmp_path):
    """A function (code of a rank, ranks) that starts a launching process in tmp_path."""
    (tmp_path / "told").mkdir()
    started = []

    def start(code, ranks):
        (tmp_path / "rank.py").write_text(RANK + code)
        (tmp_path / "launching.py").write_text(LAUNCHING)
        environment = os.environ | {"PYTHONPATH": str(ROOT / "workflow/scripts")}
        command = [sys.executable, "launching.py", str(ranks)]
        started.append(
            subprocess.Popen(
                command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True
            )
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def told(folder, ranks, process):
    """{rank: what it has written} as soon as every rank has written something."""
    while True:
        found = {path.name: path.read_text() for path in (folder / "told").iterdir()}
        if len(found) == ranks and all(found.values()):
            return {int(rank): text for rank, text in found.items()}
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)


def test_each_rank_finds_its_own_number(launch, tmp_path, monkeypatch):
    monkeypatch.setenv("RANK", "9")
    names = ["RANK", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "WORLD_SIZE", "MASTER_ADDR"]
    code = (
        "launcher.begin_rank(3)\n"
        f"mine.write_text(json.dumps([os.environ[name] for name in {names}]))"
    )
    process = launch(code, 3)
    assert process.wait(60) == 0
    found = [json.loads((tmp_path / "told" / str(rank)).read_text()) for rank in range(3)]
    assert found == [[str(rank), str(rank), "3", "3", "127.0.0.1"] for rank in range(3)]


STOPPING = """
launcher.begin_rank(2)
with signals.handle_stop_signals():
    signals.defer_stop_signals()
    mine.write_text("ready")
    while not signals.is_stop_requested():
        time.sleep(0.01)
    time.sleep(1 + rank)
    pathlib.Path(f"checkpoint-{rank}").write_text(str(int(*signals.received)))
    signals.exit_stopped("a checkpoint is written" if rank == 0 else "")
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_reaches_every_rank_and_the_launcher_waits_for_the_checkpoint(
    launch, tmp_path, number
):
    process = launch(STOPPING, 2)
    told(tmp_path, 2, process)
    process.send_signal(number)
    assert process.communicate(timeout=60)[1] == "a checkpoint is written\n"
    assert process.returncode == signals.STOPPED == 75
    assert [int((tmp_path / f"checkpoint-{rank}").read_text()) for rank in range(2)] == [
        number,
        number,
    ]
    assert not list(tmp_path.glob("*.lock")), "the lock was held until then"


def test_the_other_ranks_are_ended_when_one_fails(launch, tmp_path):
    """One waits for the failed rank for ever, deaf to signals, as in a collective operation."""
    code = """
launcher.begin_rank(3)
for number in (signal.SIGTERM, signal.SIGUSR1):
    signal.signal(number, signal.SIG_IGN)
mine.write_text(str(os.getpid()))
while len(list(pathlib.Path("told").iterdir())) < 3:
    time.sleep(0.01)
if rank == 1:
    sys.exit(3)
if rank == 2:
    time.sleep(0.5)
    sys.exit("a neighbour is gone")
time.sleep(600)
"""
    process = launch(code, 3)
    ranks, begun = told(tmp_path, 3, process), time.monotonic()
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 1 and time.monotonic() - begun < 20
    ends = "rank 1 with exit code 3, rank 2 with exit code 1; the others of the 3 ranks were ended"
    assert said.splitlines() == [
        "a neighbour is gone",
        f"launcher: ranks ended before their work was complete: {ends}",
    ]
    assert not any(runs_for_long(int(text)) for text in ranks.values())


def test_no_rank_outlives_a_killed_launcher(launch, tmp_path):
    code = "launcher.begin_rank(2)\nmine.write_text(str(os.getpid()))\ntime.sleep(600)"
    process = launch(code, 2)
    ranks = told(tmp_path, 2, process)
    process.kill()
    process.communicate(timeout=30)  # the ranks hold stderr open
    assert process.returncode == -signal.SIGKILL
    assert not any(runs_for_long(int(text)) for text in ranks.values())


def runs_for_long(pid, seconds=10.0):
    """Whether a process still runs so many seconds later.

    A killed one closes its files before it is gone.
    """
    until = time.monotonic() + seconds
    while running(pid) and time.monotonic() < until:
        time.sleep(0.05)
    return running(pid)


def running(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
