"""Start the processes (ranks) of one training on one node or on several.

The script that needs several processes starts itself again, once for each rank. A rank finds its
number and the address at which all ranks meet in RANK, LOCAL_RANK, LOCAL_WORLD_SIZE, WORLD_SIZE,
MASTER_ADDR and MASTER_PORT, as torch.distributed expects. On one node the launching process starts
the ranks itself; on several nodes `srun` starts them. The launching process holds the lock,
forwards signals and does not import torch.
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
GRACE = 30.0  # seconds that the other ranks have to end by themselves after one has failed
PAUSE = 0.05  # seconds between two checks of the ranks


class Machine(Protocol):
    """The options of `add_arguments` after parsing."""

    nodes: int
    ranks: int  # on each node
    zero: int  # the ZeRO stage of DeepSpeed
    cpus: int | None  # of the job on each node


def add_arguments(parser: Parser) -> None:
    """Add the options that say how many processes a training has.

    No result depends on them.
    """
    parser.add_argument(
        "--nodes",
        type=int,
        default=1,
        help="number of nodes; more than one needs a SLURM job of as many",
    )
    parser.add_argument(
        "--ranks", type=int, default=1, help="processes on each node: one for each of its GPUs"
    )
    parser.add_argument("--zero", type=int, default=0, help="DeepSpeed's stage, 0 to 3")
    parser.add_argument(
        "--cpus", type=int, help="CPUs of the job on each node; default: the threads of its ranks"
    )


def lock_unless_rank(lock: AbstractContextManager[None]) -> AbstractContextManager[None]:
    """Return a lock for a process that is not a rank, and an empty context for a rank.

    Ranks work under the lock of the process that launched them.
    """
    return nullcontext() if is_rank() else lock


def launch_ranks(script: str, words: Sequence[str], machine: Machine, threads: int) -> None:
    """Start the ranks of a training and end this process with their exit code.

    Return without starting ranks if this process itself must train: if it is a rank, or if one
    process without ZeRO is requested.

    Parameters
    ----------
    script
        The path of the calling script.
    words
        The arguments of the calling script.
    machine
        The parsed options of `add_arguments`.
    threads
        The threads of one rank.

    Raises
    ------
    ValueError
        If a number is out of range, if the number of ranks that were started is not the requested
        one, or if several nodes are requested outside a SLURM job.
    """
    nodes, ranks, zero = machine.nodes, machine.ranks, machine.zero
    if nodes < 1 or ranks < 1 or zero not in range(4):
        raise ValueError(
            f"--nodes {nodes} --ranks {ranks} --zero {zero}: give 1 or more, 1 or more, "
            "and 0, 1, 2 or 3"
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
    """Run a command in several processes on this node and return one exit code for all of them.

    Parameters
    ----------
    command
        The command of each rank.
    ranks
        The number of processes.
    grace
        Ranks that still run so many seconds after the first failure are killed.

    Returns
    -------
    int
        0 if all ranks end with 0, and 75 if a rank has stopped after a checkpoint. Otherwise it is
        1, and a message says which ranks have failed.
    """
    shared = common_environment(ranks, ranks, ADDRESS, free_port(), os.getpid())
    processes = []
    try:
        with signals.forward_signals() as start:
            for rank in range(ranks):
                own = {"RANK": str(rank), "LOCAL_RANK": str(rank)}
                processes.append(start(command, {**os.environ, **shared, **own}))
            failed = wait_for_ranks(processes, grace)
    finally:
        kill(processes)
    if STOPPED in failed.values():
        return STOPPED
    if failed:
        print(failure_message(failed, ranks), file=sys.stderr, flush=True)
    return 1 if failed else 0


def run_on_nodes(step: Sequence[str], nodes: int, ranks: int) -> int:
    """Run the ranks of several nodes in one step of the SLURM job, and return its exit code.

    srun itself forwards signals, prints which rank has ended with which code, and ends the others.

    Parameters
    ----------
    step
        The command that starts all ranks: srun, its options and the command of a rank.
    nodes
        The number of nodes.
    ranks
        The number of ranks on each node.
    """
    # Two jobs on one node need different ports.
    port = 20000 + int(os.environ["SLURM_JOB_ID"]) % 20000
    # This process runs on the first node of the job, and so does rank 0.
    shared = common_environment(nodes * ranks, ranks, socket.gethostname(), port, "srun")
    # A rank takes its number from srun. A number in the environment of this shell would be the same
    # for all ranks.
    outer = {
        name: value for name, value in os.environ.items() if name not in ("RANK", "LOCAL_RANK")
    }
    with signals.forward_signals() as start:
        return start(step, outer | shared).wait()


def srun_words(nodes: int, ranks: int, cpus: int, environment: Mapping[str, str]) -> list[str]:
    """Return `srun` and its options, to be followed by the command of a rank.

    The SLURM executor of Snakemake removes nearly all SLURM variables, so each option is given
    explicitly. Ranks do not end at the same moment, also after a checkpoint; only those that still
    run `GRACE` seconds after the first are killed.

    Parameters
    ----------
    nodes
        The number of nodes.
    ranks
        The number of ranks on each node.
    cpus
        The CPUs of one rank.
    environment
        The environment of this process.

    Raises
    ------
    ValueError
        If this process is not inside a SLURM job.
    """
    if "SLURM_JOB_ID" not in environment:
        raise ValueError(
            f"--nodes {nodes} needs a SLURM job of {nodes} nodes: start it in one, "
            "or give --nodes 1"
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
    """Return the number of CPUs of one rank.

    Parameters
    ----------
    ranks
        The number of ranks on each node.
    threads
        The threads of one rank.
    cpus
        The CPUs of the job on each node, of which each rank has an equal share. Default: as many as
        the threads of all ranks.

    Raises
    ------
    ValueError
        If there are fewer CPUs than ranks.

    Examples
    --------
    >>> cpus_per_rank(ranks=3, threads=1, cpus=64)
    21
    """
    if cpus is None:
        return threads
    if cpus < ranks:
        raise ValueError(
            f"--cpus {cpus} --ranks {ranks}: each rank needs a CPU; ask for {ranks} CPUs on "
            "each node"
        )
    return cpus // ranks


def common_environment(
    world: int, ranks: int, address: str, port: int, launcher: int | str
) -> dict[str, str]:
    """Return the environment variables that all ranks share.

    Parameters
    ----------
    world
        The number of all ranks.
    ranks
        The number of ranks on each node.
    address, port
        Where the ranks meet.
    launcher
        The id of the process that starts the ranks, or "srun".
    """
    variables: dict[str, object] = {
        LAUNCHER: launcher,
        "WORLD_SIZE": world,
        "LOCAL_WORLD_SIZE": ranks,
        "MASTER_ADDR": address,
        "MASTER_PORT": port,
        # Until the number of threads of the spec is set.
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", 1),
        # Without this each rank prints a note that all parameters are used.
        "TORCH_CPP_LOG_LEVEL": os.environ.get("TORCH_CPP_LOG_LEVEL", "ERROR"),
    }
    return {name: str(value) for name, value in variables.items()}


def free_port() -> int:
    """Return a port of this machine that no process uses."""
    with socket.socket() as bound:
        bound.bind((ADDRESS, 0))
        return bound.getsockname()[1]


def wait_for_ranks(processes: Sequence[subprocess.Popen[bytes]], grace: float) -> dict[int, int]:
    """Wait until all ranks have ended and return the exit codes of those that failed.

    Parameters
    ----------
    processes
        The processes of the ranks, in the order of their numbers.
    grace
        Ranks that still run so many seconds after the first failure are killed. They are not in the
        result.

    Returns
    -------
    dict
        The exit code of each rank that failed, in the order in which they ended.
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
    """Add the exit codes of the ranks that have failed since the last call to `failed`."""
    for rank, process in enumerate(processes):
        if process.returncode:
            failed.setdefault(rank, process.returncode)


def kill(processes: Iterable[subprocess.Popen[bytes]]) -> None:
    """Kill the processes that still run, and wait for their ends."""
    for process in processes:
        if process.poll() is None:
            process.kill()
            process.wait()


def failure_message(failed: Mapping[int, int], ranks: int) -> str:
    """Return a message that names the ranks that failed, and says whether others were ended."""
    ends = [f"rank {rank} with {exit_word(code)}" for rank, code in failed.items()]
    others = "" if len(failed) == ranks else f"; the others of the {ranks} ranks were ended"
    return f"launcher: ranks ended before their work was complete: {', '.join(ends)}{others}"


def exit_word(code: int) -> str:
    """Return the words for an exit code; a negative code is the number of a signal."""
    return f"exit code {code}" if code > 0 else signal.Signals(-code).name


# -- in a rank ------------------------------------------------------------------------------------


def begin_rank(world: int) -> None:
    """Prepare this process to be a rank that ends with its launcher, and set its number.

    Raise `ValueError` if the launcher did not start `world` ranks.
    """
    if sys.platform == "linux":
        # 1 is PR_SET_PDEATHSIG: no rank continues after the end of the process that holds the lock.
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    launcher = os.environ[LAUNCHER]
    if launcher != "srun" and os.getppid() != int(launcher):
        # It ended before the call of prctl.
        raise SystemExit("the process that launched this rank has ended")
    started = int(os.environ["WORLD_SIZE"])
    if started != world:
        raise ValueError(
            f"{started} ranks were started, and --nodes times --ranks asks for {world}: "
            "give the same number"
        )
    if launcher == "srun":
        os.environ["RANK"] = os.environ["SLURM_PROCID"]
        os.environ["LOCAL_RANK"] = os.environ["SLURM_LOCALID"]
