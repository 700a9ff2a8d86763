"""One training in several processes (ranks): a script starts itself again under torchrun, on one node or by srun.

Each node runs this file: torchrun's agent, which starts the node's ranks and waits for them. torch is imported
there, not by the script that asks: a finished model is taken back without it.
"""

import ctypes
import os
import runpy
import signal
import socket
import subprocess
import sys
from contextlib import nullcontext, suppress
from pathlib import Path

from postgrad.runtime.signals import STOPPED, exit_code, inside

ADDRESS = "127.0.0.1"


def by_one(lock):
    """The lock for the process that launches; its ranks work under it."""
    return nullcontext() if inside() else lock


def relaunch(script, words, nodes, ranks, zero, threads):
    """Nothing where this process is to train; otherwise nodes x ranks processes do, and it ends with their exit code.

    script: path of the calling script; words: its arguments; threads: of one rank. One process without ZeRO
    trains here. ValueError where a number is out of range, torchrun made other ranks, or several nodes are
    asked for outside a SLURM job.
    """
    if nodes < 1 or ranks < 1 or zero not in range(4):
        raise ValueError(f"--nodes {nodes} --ranks {ranks} --zero {zero}: give 1 or more, 1 or more, and 0, 1, 2 or 3")
    if inside():
        made = int(os.environ["WORLD_SIZE"])
        if made != nodes * ranks:
            raise ValueError(f"torchrun made {made} ranks; --nodes {nodes} --ranks {ranks} asks for {nodes * ranks}")
    elif nodes * ranks > 1 or zero:
        command = launcher(nodes, ranks, threads, os.environ) + [script, *words]
        sys.exit(exit_code(command))  # the lock stays in this process's hand; signals go on to the ranks


def launcher(nodes, ranks, threads, environment):
    """The words that stand before script and arguments. No shell reads them, so none is quoted.

    Several nodes: one agent a node, by srun. Snakemake's SLURM executor leaves hardly any SLURM variable, so each
    flag is given by name. This process is on the first node, where rank 0 will be.
    """
    agent = [sys.executable, str(Path(__file__).resolve()), "--nnodes", str(nodes), "--nproc-per-node", str(ranks)]
    if nodes == 1:
        return agent + ["--master-addr", ADDRESS, "--master-port", str(free_port()), "--node-rank", "0"]
    if "SLURM_JOB_ID" not in environment:
        raise ValueError(f"--nodes {nodes} needs a SLURM job of {nodes} nodes: start it so, or give --nodes 1")
    port = 20000 + int(environment["SLURM_JOB_ID"]) % 20000  # two jobs on one node meet at different ports
    step = ["srun", f"--nodes={nodes}", f"--ntasks={nodes}", "--ntasks-per-node=1"]
    step += [f"--cpus-per-task={ranks * threads}", "--kill-on-bad-exit=1"]
    if environment.get("CUDA_VISIBLE_DEVICES"):
        step.append(f"--gpus-per-node={ranks}")  # a rank has one
    return step + agent + ["--master-addr", socket.gethostname(), "--master-port", str(port)]


def free_port():
    with socket.socket() as taken:
        taken.bind((ADDRESS, 0))
        return taken.getsockname()[1]


def agent(words):
    """Run torchrun with these words; SIGTERM and SIGUSR1 go on to each rank, and the agent waits for its end.

    torchrun itself would kill a rank 30 s after a signal: too soon for the checkpoint of a large model.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: where the lock's holder was killed, end too
    started, popen = [], subprocess.Popen.__init__

    def remembered(process, *args, **options):
        popen(process, *args, **options)
        started.append(process)

    def pass_on(number, _):
        if not started:
            sys.exit(128 + number)
        for process in started:
            with suppress(ProcessLookupError):
                process.send_signal(number)

    subprocess.Popen.__init__ = remembered
    for number in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, pass_on)
    if "SLURM_NODEID" in os.environ and "--node-rank" not in words:
        words = ["--node-rank", os.environ["SLURM_NODEID"], *words]
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # until the script sets the spec's threads
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # else each rank remarks that all parameters are used
    sys.argv = ["torchrun", "--signals-to-handle", "SIGINT,SIGHUP,SIGQUIT", *words]
    try:
        runpy.run_module("torch.distributed.run", run_name="__main__")
    except Exception as fault:
        if type(fault).__name__ != "ChildFailedError":  # torch's; the rank itself has told why
            raise
        if STOPPED in {end.exitcode for end in fault.failures.values()}:
            sys.exit(STOPPED)  # as told, after a checkpoint
        ends = ", ".join(f"rank {rank} with {end.exitcode}" for rank, end in sorted(fault.failures.items()))
        sys.exit(f"{Path(__file__).stem}: ranks ended before their work was done: {ends}")


if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[2])  # not this folder, whose modules have common names, such as `signals`
    agent(sys.argv[1:])
