"""Lock the work folder of a node, so that two jobs never work on the same result.

The lock also holds between several machines. The lock of `plain` is the folder `.plain.lock` next
to it, with one file of the holder that has a unique name. The folder is made under a temporary name
and renamed. A rename fails if the lock folder holds a file, so that one process wins, also on NFS
and Lustre, where flock does not work between machines. A process that finds that the holder is gone
removes the file of this holder by its name, and so never a newer one. No lock stays after the end
of its holder: the machine, SLURM or the age of the lock shows that it has ended.
"""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import EEXIST, ENOTEMPTY, ESTALE
from pathlib import Path
from typing import Any

BEAT = 10.0  # seconds after which the holder touches its lock again
# Seconds without a touch after which a holder counts as gone if nothing else is known of it.
STALE = 120.0
# The most seconds between two attempts. The first pause is 0.2 seconds, each later one half of the
# time waited so far.
PATIENCE = 15.0
# How often a lock with a stale file handle is read before its holder counts as unknown.
LOOKS = 5
# The exit code of a holder that lost its lock. As for a stopped training, it means: try again.
LOST = 75
LockState = tuple[Path, dict[str, Any] | None, float]  # see `read_lock`
# The states of SLURM jobs that have ended.
ENDED = {
    "BOOT_FAIL",
    "CANCELLED",
    "COMPLETED",
    "DEADLINE",
    "FAILED",
    "NODE_FAIL",
    "OUT_OF_MEMORY",
    "PREEMPTED",
    "REVOKED",
    "TIMEOUT",
}


@contextmanager
def hold_lock(work: str | Path, wait: bool = True) -> Iterator[None]:
    """Hold the lock of a folder while the body runs.

    If the process finds that its lock was removed (it may have slept for minutes), it ends at once
    with exit code 75.

    Parameters
    ----------
    work
        The folder.
    wait
        Whether to wait until another holder has ended. Default: True.

    Raises
    ------
    BlockingIOError
        If another process holds the lock, and `wait` is false.
    """
    lock, own_record, printed, start = lock_folder(work), holder_record(), None, time.monotonic()
    while (state := try_lock(lock, own_record)) is not None:
        file, other_record, age = state
        description = holder_description(other_record)
        if is_holder_gone(other_record, own_record, age):
            remove_file(file)
            print_message(work, f"{description} is gone; its lock is removed")
        elif not wait:
            raise BlockingIOError(f"{description} works on this (lock: {lock})")
        else:
            if printed != description:
                printed = description
                print_message(
                    work, f"{description} works on this; waiting for its end (lock: {lock})"
                )
            time.sleep(min(max(0.2, (time.monotonic() - start) / 2), PATIENCE))
    own_file, released = lock / own_record["token"], threading.Event()
    threading.Thread(target=touch_lock, args=(own_file, released, work), daemon=True).start()
    try:
        yield
    finally:
        released.set()
        remove_file(own_file)
        with suppress(OSError):  # Another process may hold the lock already.
            lock.rmdir()


def lock_folder(work: str | Path) -> Path:
    """Return the folder of a lock.

    It is next to the work folder, since the work of other keys is removed with its folders.
    """
    return Path(work).with_name(f".{Path(work).name}.lock")


def holder_record() -> dict[str, Any]:
    """Return the record of this process that its lock holds."""
    return {
        "token": secrets.token_hex(8),
        "job": os.environ.get("SLURM_JOB_ID"),
        # How often SLURM has requeued the job.
        "restarts": int(os.environ.get("SLURM_RESTART_COUNT") or 0),
        "host": socket.gethostname(),
        "kernel": kernel_id(),
        "pid": os.getpid(),
        "begun": process_start(os.getpid()),
        "since": time.strftime("%Y-%m-%d %H:%M:%S"),
    }


def try_lock(lock: Path, own_record: dict[str, Any]) -> LockState | None:
    """Try to take a lock; return None if this succeeds, and otherwise the result of `read_lock`."""
    temporary, stale = lock.with_name(f"{lock.name}.{own_record['token']}"), 0
    own_file = temporary / own_record["token"]
    try:
        temporary.mkdir(parents=True)
        own_file.write_text(json.dumps(own_record), encoding="utf-8")
        now = own_file.stat().st_mtime
        while True:
            try:
                os.rename(temporary, lock)
                return None
            except OSError as fault:
                # The server may have renamed the folder although its answer was lost.
                if is_there(lock / own_record["token"]):
                    return None
                stale += fault.errno == ESTALE
                if fault.errno not in (EEXIST, ENOTEMPTY, ESTALE) or stale > LOOKS:
                    raise
            if state := read_lock(lock, now):
                return state
            # A killed process may leave an empty folder, and not every file system renames a
            # folder onto it.
            with suppress(OSError):
                lock.rmdir()
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def read_lock(lock: Path, now: float) -> LockState | None:
    """Return who holds a lock, or None if nobody holds it any more.

    A file handle is stale if another machine removed the file; the lock is then read again. If the
    handle stays stale, the lock counts as held by an unknown process.

    Parameters
    ----------
    lock
        The folder of the lock.
    now
        The time of a file that was just made in the same place: the clocks of two machines must
        not be compared.

    Returns
    -------
    file : Path
        The file of the holder.
    record : dict or None
        The record of the holder. None if it is incomplete.
    age : float
        Seconds since the holder touched its file.
    """
    for _ in range(LOOKS):
        try:
            for file in lock.iterdir():
                text = file.read_text(encoding="utf-8", errors="replace")
                return file, parse_record(text), now - file.stat().st_mtime
            return None
        except FileNotFoundError:  # The lock was released in the meantime.
            return None
        except OSError as fault:
            if fault.errno != ESTALE:
                raise
        time.sleep(0.05)
    return lock, None, 0.0


def is_there(path: Path) -> bool:
    """Return whether a file exists; a file with a stale handle does not."""
    try:
        path.stat()
    except OSError:
        return False
    return True


def remove_file(path: Path) -> None:
    """Remove a file of a lock, unless another process or machine has removed it already."""
    try:
        path.unlink(missing_ok=True)
    except OSError as fault:
        if fault.errno != ESTALE:
            raise


def touch_lock(own_file: Path, released: threading.Event, work: str | Path) -> None:
    """Touch the file of a lock until it is released.

    If the file is gone, end the process, before two processes write to the same folder.
    """
    while not released.wait(BEAT):
        try:
            os.utime(own_file)
        except FileNotFoundError:
            if not released.is_set():
                print_message(
                    work,
                    "this lock was taken away, so another process may work here: ended at once",
                )
                os._exit(LOST)
        except OSError:  # A file server that does not answer may come back.
            pass


def parse_record(text: str) -> dict[str, Any] | None:
    """Return the record of a holder from the text of its file; None if it is incomplete."""
    try:
        record = json.loads(text)
    except ValueError:
        return None
    return record if isinstance(record, dict) and record.keys() >= holder_record().keys() else None


def is_holder_gone(
    other_record: dict[str, Any] | None, own_record: dict[str, Any], age: float
) -> bool:
    """Return whether the holder of a lock has ended.

    On this machine its process shows this, on another one SLURM, and otherwise the age of the lock.
    Several processes of one allocation share the id of their job, so that an equal id does not mean
    an equal process.

    Parameters
    ----------
    other_record
        The record of the holder. None if it is incomplete.
    own_record
        The record of this process.
    age
        Seconds since the holder touched its lock.
    """
    if other_record is not None:
        if other_record["kernel"] and other_record["kernel"] == own_record["kernel"]:
            return not is_process_running(other_record["pid"], other_record["begun"])
        job = other_record["job"]
        if job and job == own_record["job"] and other_record["restarts"] < own_record["restarts"]:
            return True  # The job was requeued, and this process belongs to the newer run.
        if job and job != own_record["job"] and (is_queued := is_job_queued(job)) is not None:
            return not is_queued
    return age > STALE


def holder_description(record: dict[str, Any] | None) -> str:
    """Return the words that name the holder of a lock in a message: job, process, host and time.

    Examples
    --------
    >>> record = {"job": "812", "pid": 47, "host": "node3", "since": "2025-03-01 09:30:00"}
    >>> holder_description(record)
    'SLURM job 812, process 47 on node3 since 2025-03-01 09:30:00'
    """
    if record is None:
        return "an unknown process (its lock file is incomplete)"
    job = f"SLURM job {record['job']}, " if record["job"] else ""
    return f"{job}process {record['pid']} on {record['host']} since {record['since']}"


def print_message(work: str | Path, message: str) -> None:
    """Print a message to stderr that begins with the name of a work folder or of a study."""
    print(f"{Path(work).name}: {message}", file=sys.stderr, flush=True)


def is_job_queued(job: str) -> bool | None:
    """Return whether a job has not ended according to SLURM; None if SLURM does not answer."""
    command = ["squeue", "-h", "-j", str(job), "-o", "%T"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode:
        return False if "Invalid job id" in done.stderr else None
    return bool(set(done.stdout.split()) - ENDED)


def kernel_id() -> str | None:
    """Return the boot of this machine and the PID namespace, in which process ids are unique.

    None on systems other than Linux.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return None


def process_start(pid: int) -> str | None:
    """Return when a process started, in ticks since the boot; None if it is not visible.

    This distinguishes it from a later process with the same id.
    """
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if state in "ZX" else fields[18]  # a zombie has ended


def is_process_running(pid: int, start: str | None) -> bool:
    """Return whether the process `pid` of this machine runs and is the one that started then."""
    try:
        os.kill(pid, 0)
    except PermissionError:  # A process of another user, which may not be visible.
        return process_start(pid) in (None, start)
    except OSError:
        return False
    return process_start(pid) == start
