"""Stop a process at a signal: at once, or after the step that is being computed.

SLURM sends SIGTERM to a job before it kills it: at a preemption, at scancel, and at the end of its
time. It can be asked to send the signal earlier, with `--signal=TERM@300`. USR1 does not serve for
this, since the Snakemake process around a job dies of it, while it waits for the job at TERM.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

# The exit code of a training that stopped after a checkpoint: EX_TEMPFAIL of sysexits.h. If it is
# run again, it continues from the checkpoint.
STOPPED = 75
SIGNALS = (signal.SIGUSR1, signal.SIGTERM)
# The environment variable that names what started this rank: the id of the launching process, or
# srun. A variable RANK that was left in a shell means nothing.
LAUNCHER = "POSTGRAD_LAUNCHER"
# Seconds in which the same signal counts once: srun and slurmstepd both forward a signal.
ECHO = 1.0

received: dict[int, float] = {}  # when each signal was first received
defers_stop = False  # whether the first signal waits for the end of a step
children: list[subprocess.Popen[bytes]] = []  # processes that get all signals instead of this one


@contextmanager
def handle_stop_signals() -> Iterator[None]:
    """End the process at SIGUSR1 or SIGTERM while the body runs, with exit code 128 + signal.

    The process ends by an exception, so that every `finally` is executed. After
    `defer_stop_signals` the first signal is only recorded, see `is_stop_requested`; the same signal
    again ends the process.
    """
    global defers_stop
    before = {number: signal.signal(number, handle_signal) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        received.clear()
        defers_stop = False


def handle_signal(number: int, frame: FrameType | None) -> None:
    """Record a signal, and forward it to the children or end the process."""
    now, again = time.monotonic(), number in received
    if again and now - received[number] < ECHO:
        return
    received.setdefault(number, now)
    if children:
        for child in children:
            child.send_signal(number)
    elif again or not defers_stop:
        # A handler may interrupt a call of print, which must not be entered twice.
        os.write(2, f"ended by {signal.Signals(number).name}\n".encode())
        raise SystemExit(128 + number)


def defer_stop_signals() -> None:
    """Let the first signal wait from now on for a caller that asks `is_stop_requested`."""
    global defers_stop
    defers_stop = True


@contextmanager
def deferred_stop_signals() -> Iterator[None]:
    """Let the first signal wait while the body runs, as after `defer_stop_signals`."""
    global defers_stop
    before, defers_stop = defers_stop, True
    try:
        yield
    finally:
        defers_stop = before


def is_stop_requested() -> bool:
    """Return whether a signal to stop was received."""
    return bool(received)


@contextmanager
def forward_signals() -> Iterator[
    Callable[[Sequence[str], Mapping[str, str]], subprocess.Popen[bytes]]
]:
    """Forward all signals to the processes that are started in the body.

    So this process can hold a lock until they have ended, whatever signal it receives.

    Yields
    ------
    callable
        A function of a command and its environment that starts the process and returns it.
    """
    defer_stop_signals()

    def start(command: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        child = subprocess.Popen(command, env=environment)
        children.append(child)
        for number in list(received):  # signals that came while the process was being started
            child.send_signal(number)
        return child

    try:
        yield start
    finally:
        children.clear()


def exit_stopped(message: str | None) -> NoReturn:
    """End the process with exit code 75.

    Parameters
    ----------
    message
        A sentence for stderr. Of several ranks only one gives it.
    """
    if message:
        print(message, file=sys.stderr, flush=True)
    end_rank(STOPPED)
    raise SystemExit(STOPPED)


def is_rank() -> bool:
    """Return whether this process is one of several that the launcher started for one training."""
    return LAUNCHER in os.environ


def end_rank(code: int = 0) -> None:
    """End a rank at once when its work is done; do nothing in a process that is not a rank.

    Threads of gloo that still run make the usual end of Python abort in 1 of 24 runs.
    """
    if is_rank():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
