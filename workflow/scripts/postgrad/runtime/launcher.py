"""Several processes (ranks) for one training: the script that asks for them starts itself again,
once for each rank.

A rank finds its number and the meeting point of all ranks in RANK, LOCAL_RANK, LOCAL_WORLD_SIZE,
WORLD_SIZE, MASTER_ADDR and MASTER_PORT, as torch.distributed expects. On one node the launching
process starts the ranks itself; on several nodes one `srun` does. The launching process keeps the
lock, passes signals on and does not import torch.
"""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from postgrad.runtime import signals
from postgrad.runtime.cli import Parser
from postgrad.runtime.signals import LAUNCHER, STOPPED, is_rank

ADDRESS = "127.0.0.1"
GRACE = 30.0  # seconds in which the other ranks may end by themselves after one has failed
PAUSE = 0.05  # seconds between two looks at the ranks


class Machine(Protocol):
    """What `add_arguments` reads, as argparse holds it."""

    nodes: int
    ranks: int  # on each node
    zero: int  # DeepSpeed's stage
    cpus: int | None  # of the job on each node


def add_arguments(parser: Parser) -> None:
    """Add the options of a training that say how many processes take part.

    No result depends on them.
    """
    parser.add_argument(
        "--nodes", type=int, default=1, help="more than one: inside a SLURM job of so many"
    )
    parser.add_argument(
        "--ranks", type=int, default=1, help="processes on each node: one for each of its GPUs"
    )
    parser.add_argument("--zero", type=int, default=0, help="DeepSpeed's stage, 0 to 3")
    parser.add_argument(
        "--cpus", type=int, help="CPUs of the job on each node; default: the threads of its ranks"
    )


def lock_unless_rank(lock: AbstractContextManager[None]) -> AbstractContextManager[None]:
    """Return the lock for a process that is no rank.

    Ranks work under the lock of the process that launched them.
    """
    return nullcontext() if is_rank() else lock


def launch_ranks(script: str, words: Sequence[str], machine: Machine, threads: int) -> None:
    """Start the ranks of a training and end this process with their exit code, or return where it
    is to train itself.

    It is to train itself where it is a rank, and where one process without ZeRO is asked for.

    Parameters
    ----------
    script : path of the calling script
    words : the arguments of the calling script
    machine : what `add_arguments` read
    threads : threads of one rank

    Raises
    ------
    ValueError
        If a number is out of range, if another number of ranks was started than is asked for, or if
        several nodes are asked for outside a SLURM job.
    """
    nodes, ranks, zero = machine.nodes, machine.ranks, machine.zero
    if nodes < 1 or ranks < 1 or zero not in range(4):
        raise ValueError(
            f"--nodes {nodes} --ranks {ranks} --zero {zero}: give 1 or more, 1 or more, and 0, 1, 2 or 3"
        )
    if is_rank():
        begin_rank(nodes * ranks)
    elif nodes * ranks > 1 or zero:
        command = [sys.executable, script, *words]
        if nodes == 1:
            sys.exit(run_ranks(command, ranks))
        cpus = cpus_per_rank(ranks, threads, machine.cpus)
        sys.exit(run_on_nodes(srun_words(nodes, ranks, cpus, os.environ) + command, nodes, ranks))


# -- in the launching process ---------------------------------------------------------------------


def run_ranks(command: Sequence[str], ranks: int, grace: float = GRACE) -> int:
    """Run a command in so many processes on this node and return one exit code for all of them.

    It is 0 where all ranks end with 0, and 75 where a rank has stopped after a checkpoint.
    Otherwise it is 1, and a sentence says which ranks have failed. Ranks that still run `grace`
    seconds after the first failure are killed.
    """
    everyone = common_environment(ranks, ranks, ADDRESS, free_port(), os.getpid())
    processes = []
    try:
        with signals.forward_signals() as start:
            for rank in range(ranks):
                own = {"RANK": str(rank), "LOCAL_RANK": str(rank)}
                processes.append(start(command, {**os.environ, **everyone, **own}))
            failed = wait_for_ranks(processes, grace)
    finally:
        kill(processes)
    if STOPPED in failed.values():
        return STOPPED
    if failed:
        print(failure(failed, ranks), file=sys.stderr, flush=True)
    return 1 if failed else 0


def run_on_nodes(step: Sequence[str], nodes: int, ranks: int) -> int:
    """Run the ranks of several nodes in one step of the SLURM job, and return its exit code.

    srun itself passes signals on, tells which rank has ended with which code, and ends the others.
    """
    port = (
        20000 + int(os.environ["SLURM_JOB_ID"]) % 20000
    )  # two jobs on one node meet at different ports
    # This process runs on the first node of the job, and so does rank 0.
    everyone = common_environment(nodes * ranks, ranks, socket.gethostname(), port, "srun")
    # A rank takes its number from srun: one that stands in this shell's environment would be the
    # same for all.
    outer = {
        name: value for name, value in os.environ.items() if name not in ("RANK", "LOCAL_RANK")
    }
    with signals.forward_signals() as start:
        return start(step, outer | everyone).wait()


def srun_words(nodes: int, ranks: int, cpus: int, environment: Mapping[str, str]) -> list[str]:
    """Return `srun` and its options, which stand before the command of a rank. cpus: of one rank.

    Snakemake's SLURM executor leaves hardly any SLURM variable, so each option is given by name.
    Ranks end one after another within moments, also after a checkpoint: only those that still run
    after `GRACE` are killed.
    """
    if "SLURM_JOB_ID" not in environment:
        raise ValueError(
            f"--nodes {nodes} needs a SLURM job of {nodes} nodes: start it so, or give --nodes 1"
        )
    step = [
        "srun",
        "--export=ALL",
        f"--nodes={nodes}",
        f"--ntasks={nodes * ranks}",
        f"--ntasks-per-node={ranks}",
    ]
    step += [f"--cpus-per-task={cpus}", "--kill-on-bad-exit=0", f"--wait={GRACE:.0f}"]
    if environment.get("CUDA_VISIBLE_DEVICES"):
        step.append(f"--gpus-per-node={ranks}")  # one for each rank
    return step


def cpus_per_rank(ranks: int, threads: int, cpus: int | None = None) -> int:
    """Return the CPUs of one rank.

    Those that the job has on a node, shared out; by default as many as its threads.
    """
    if cpus is None:
        return threads
    if cpus < ranks:
        raise ValueError(
            f"--cpus {cpus} --ranks {ranks}: each rank needs a CPU; ask for {ranks} CPUs on each node"
        )
    return cpus // ranks


def common_environment(
    world: int, ranks: int, address: str, port: int, launcher: int | str
) -> dict[str, str]:
    """Return the variables that all ranks share.

    launcher: the process that starts them, or srun.
    """
    found: dict[str, object] = {
        LAUNCHER: launcher,
        "WORLD_SIZE": world,
        "LOCAL_WORLD_SIZE": ranks,
        "MASTER_ADDR": address,
    }
    found |= {
        "MASTER_PORT": port,
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", 1),
    }  # until the spec's are set
    # By default each rank remarks that all parameters are used.
    found["TORCH_CPP_LOG_LEVEL"] = os.environ.get("TORCH_CPP_LOG_LEVEL", "ERROR")
    return {name: str(value) for name, value in found.items()}


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind((ADDRESS, 0))
        return taken.getsockname()[1]


def wait_for_ranks(processes: Sequence[subprocess.Popen[bytes]], grace: float) -> dict[int, int]:
    """Wait until all ranks have ended and return {rank: exit code} of those that failed, in the
    order of their ends.

    Those that still run `grace` seconds after the first has failed are killed; they are not in the
    result.
    """
    failed: dict[int, int] = {}
    until: float | None = None
    while running := [process for process in processes if process.poll() is None]:
        note_failures(failed, processes)
        if failed and until is None:
            until = time.monotonic() + grace
        if until is not None and time.monotonic() > until:
            kill(running)
            return failed
        time.sleep(PAUSE)
    note_failures(failed, processes)
    return failed


def note_failures(failed: dict[int, int], processes: Sequence[subprocess.Popen[bytes]]) -> None:
    for rank, process in enumerate(processes):
        if process.returncode:
            failed.setdefault(rank, process.returncode)


def kill(processes: Iterable[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        if process.poll() is None:
            process.kill()
            process.wait()


def failure(failed: Mapping[int, int], ranks: int) -> str:
    """Say which of the ranks have failed, and that the others were ended, if any."""
    ends = [f"rank {rank} with {exit_word(code)}" for rank, code in failed.items()]
    others = "" if len(failed) == ranks else f"; no other of the {ranks} ranks could go on"
    return f"launcher: ranks ended before their work was done: {', '.join(ends)}{others}"


def exit_word(code: int) -> str:
    return f"exit code {code}" if code > 0 else signal.Signals(-code).name


# -- in a rank ------------------------------------------------------------------------------------


def begin_rank(world: int) -> None:
    """Make this process die with its launcher, and put its number into its environment.

    Raise `ValueError` if the launcher started another number of ranks than `world`.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(
            1, signal.SIGKILL
        )  # PR_SET_PDEATHSIG: no rank trains on without the lock's holder
    launcher = os.environ[LAUNCHER]
    if launcher != "srun" and os.getppid() != int(launcher):
        raise SystemExit(
            "the process that launched this rank has ended"
        )  # before this process could follow it
    made = int(os.environ["WORLD_SIZE"])
    if made != world:
        raise ValueError(
            f"{made} ranks were started, and --nodes times --ranks asks for {world}: give the same number"
        )
    if launcher == "srun":
        os.environ["RANK"], os.environ["LOCAL_RANK"] = (
            os.environ["SLURM_PROCID"],
            os.environ["SLURM_LOCALID"],
        )
