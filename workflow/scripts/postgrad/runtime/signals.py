"""Stopping well: a training that is told to stop ends its step and writes a checkpoint; all else
ends at once.

SLURM tells a job to stop by SIGTERM before it kills it (preemption, scancel, the end of its time),
and earlier where it is asked to: by `--signal=TERM@300`, since of USR1 the Snakemake around a job
dies, and waits for it at TERM.
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

STOPPED = 75  # EX_TEMPFAIL of sysexits.h: run again, it goes on from the checkpoint
SIGNALS = (signal.SIGUSR1, signal.SIGTERM)
# What started this rank: the id of the launching process, or srun. A stray RANK in a shell means
# nothing.
LAUNCHER = "POSTGRAD_LAUNCHER"
ECHO = 1.0  # seconds; srun and slurmstepd both pass a signal on, so one order may be heard twice

heard: dict[int, float] = {}  # signal: when it was first heard
patient = False  # whether a first signal waits for the end of a step
children: list[
    subprocess.Popen[bytes]
] = []  # processes that are to hear all signals in this one's place


@contextmanager
def heeded() -> Iterator[None]:
    """Inside, SIGUSR1 and SIGTERM end the process by way of every `finally`, with exit code 128 +
    signal.

    After `wait_for_steps` a first one is only noted, see `wanted`; the same one again ends the
    process.
    """
    global patient
    before = {number: signal.signal(number, hear) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        heard.clear()
        patient = False


def hear(number: int, frame: FrameType | None) -> None:
    now, again = time.monotonic(), number in heard
    if again and now - heard[number] < ECHO:
        return
    heard.setdefault(number, now)
    if children:
        for child in children:
            child.send_signal(number)
    elif again or not patient:
        os.write(
            2, f"ended by {signal.Signals(number).name}\n".encode()
        )  # print may not be called twice at once
        raise SystemExit(128 + number)


def wait_for_steps() -> None:
    """From here on somebody asks `wanted` after each step."""
    global patient
    patient = True


@contextmanager
def by_steps() -> Iterator[None]:
    """Inside, a first signal waits for the end of a step: see `wait_for_steps`."""
    global patient
    before, patient = patient, True
    try:
        yield
    finally:
        patient = before


def wanted() -> bool:
    """Whether a stop was asked for."""
    return bool(heard)


@contextmanager
def passed_on() -> Iterator[Callable[[Sequence[str], Mapping[str, str]], subprocess.Popen[bytes]]]:
    """Yield a function (command, environment) that starts a process, which then hears all signals
    in this one's place.

    So this process can keep the lock until the processes have ended, whatever it is told meanwhile.
    """
    wait_for_steps()

    def start(command: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        child = subprocess.Popen(command, env=environment)
        children.append(child)
        for number in list(heard):  # while it was being started
            child.send_signal(number)
        return child

    try:
        yield start
    finally:
        children.clear()


def stop(sentence: str | None) -> NoReturn:
    """End the process with exit code 75 and this sentence, if any: one rank tells for all."""
    if sentence:
        print(sentence, file=sys.stderr, flush=True)
    leave(STOPPED)
    raise SystemExit(STOPPED)


def is_rank() -> bool:
    """Return whether this process is one of several that the launcher started for one training."""
    return LAUNCHER in os.environ


def leave(code: int = 0) -> None:
    """End a rank whose work is done, at once: threads of gloo that still run abort Python's orderly
    end, 1 in 24.

    In a process that is no rank, do nothing.
    """
    if is_rank():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
