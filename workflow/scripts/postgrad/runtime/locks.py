"""The lock on a node's work folder: two jobs never work on one result, on one machine or on
several.

The lock of `plain` is the folder `.plain.lock` beside it, and in it one file of the holder's, of a
name that no other has. It is made beside and renamed, which fails where the folder holds a file:
one wins, also on NFS and Lustre, where flock does not reach across machines. Who finds the holder
gone removes that holder's file by its name and so never a newer one. A lock outlives nobody: the
machine, SLURM or its age tells.
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

BEAT = 10.0  # seconds between two touches of a held lock
STALE = 120.0  # seconds without a touch after which a holder of whom nothing else is known is gone
PATIENCE = (
    15.0  # seconds between two looks, at most; at first 0.2, then half the time waited so far
)
LOOKS = 5  # at a lock whose file handle is stale, before it counts as held by someone unknown
LOST = 75  # the exit code of a holder whose lock was taken from it; as that of a stopped training: try again
Found = tuple[Path, dict[str, Any] | None, float]  # see `look`
ENDED = {"BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED",
         "REVOKED", "TIMEOUT"}  # fmt: skip


@contextmanager
def held(work: str | Path, wait: bool = True) -> Iterator[None]:
    """Hold the lock on the folder `work`, given back however the body ends; another holder's end is
    waited for.

    Without `wait`, BlockingIOError with a sentence where another holds it. A process whose lock was
    taken from it all the same (it slept for minutes) ends at once with exit code 75.
    """
    lock, mine, told, came = lock_of(work), holder(), None, time.monotonic()
    while (found := attempt(lock, mine)) is not None:
        file, theirs, age = found
        if gone(theirs, mine, age):
            remove_file(file)
            tell(work, f"{told_of(theirs)} is gone; its lock is removed")
        elif not wait:
            raise BlockingIOError(f"{told_of(theirs)} works on this (lock: {lock})")
        else:
            if told != told_of(theirs):
                told = told_of(theirs)
                tell(work, f"{told} works on this; waiting for its end (lock: {lock})")
            time.sleep(min(max(0.2, (time.monotonic() - came) / 2), PATIENCE))
    own, over = lock / mine["token"], threading.Event()
    threading.Thread(target=beat, args=(own, over, work), daemon=True).start()
    try:
        yield
    finally:
        over.set()
        remove_file(own)
        with suppress(OSError):  # another may have come in already
            lock.rmdir()


def lock_of(work: str | Path) -> Path:
    """The lock's folder: beside the work, since work of another key is removed whole."""
    return Path(work).with_name(f".{Path(work).name}.lock")


def holder() -> dict[str, Any]:
    """This process, as its lock tells it."""
    return {
        "token": secrets.token_hex(8),
        "job": os.environ.get("SLURM_JOB_ID"),
        "restarts": int(
            os.environ.get("SLURM_RESTART_COUNT") or 0
        ),  # SLURM counts a job's requeues
        "host": socket.gethostname(),
        "kernel": kernel(),
        "pid": os.getpid(),
        "begun": begun(os.getpid()),
        "since": time.strftime("%Y-%m-%d %H:%M:%S"),
    }


def attempt(lock: Path, mine: dict[str, Any]) -> Found | None:
    """None where the lock is now this process's, else what `look` found of its holder."""
    beside, stale = lock.with_name(f"{lock.name}.{mine['token']}"), 0
    try:
        beside.mkdir(parents=True)
        (beside / mine["token"]).write_text(json.dumps(mine), encoding="utf-8")
        now = (beside / mine["token"]).stat().st_mtime
        while True:
            try:
                os.rename(beside, lock)
                return None
            except OSError as fault:
                if is_there(lock / mine["token"]):  # the server renamed, and its answer was lost
                    return None
                stale += fault.errno == ESTALE
                if fault.errno not in (EEXIST, ENOTEMPTY, ESTALE) or stale > LOOKS:
                    raise
            if found := look(lock, now):
                return found
            with suppress(
                OSError
            ):  # left empty by a killed process; not every file system renames onto that
                lock.rmdir()
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def look(lock: Path, now: float) -> Found | None:
    """(the holder's file, its record, seconds since its last touch), or None where nobody holds the
    lock any more.

    `now` is the time of a file just made in the same place: clocks of two machines are not
    compared. The record is None where it is torn. A file handle is stale where another machine
    removed the file, and the next look finds what is there now. If it stays stale, the lock counts
    as held, and nothing is known of the holder.
    """
    for _ in range(LOOKS):
        try:
            for file in lock.iterdir():
                return (
                    file,
                    record(file.read_text(encoding="utf-8", errors="replace")),
                    now - file.stat().st_mtime,
                )
            return None
        except FileNotFoundError:  # given back since
            return None
        except OSError as fault:
            if fault.errno != ESTALE:
                raise
        time.sleep(0.05)
    return lock, None, 0.0


def is_there(path: Path) -> bool:
    """Whether a file exists; one whose handle is stale does not."""
    try:
        path.stat()
    except OSError:
        return False
    return True


def remove_file(path: Path) -> None:
    """Remove a file of a lock, unless another process or machine did so first."""
    try:
        path.unlink(missing_ok=True)
    except OSError as fault:
        if fault.errno != ESTALE:
            raise


def beat(own: Path, over: threading.Event, work: str | Path) -> None:
    """Touch the lock until `over`; end the process where another took it, before both write."""
    while not over.wait(BEAT):
        try:
            os.utime(own)
        except FileNotFoundError:
            if not over.is_set():
                tell(work, "this lock was taken away, so another may work here: ended at once")
                os._exit(LOST)
        except OSError:  # a file server that is away comes back
            pass


def record(text: str) -> dict[str, Any] | None:
    """What a lock's file says of its holder; None where it is torn."""
    try:
        theirs = json.loads(text)
    except ValueError:
        return None
    return theirs if isinstance(theirs, dict) and theirs.keys() >= holder().keys() else None


def gone(theirs: dict[str, Any] | None, mine: dict[str, Any], age: float) -> bool:
    """Whether a lock's holder works no more. On this machine its process tells, elsewhere SLURM,
    else the age.

    In one allocation several processes share a job's id, so the id alone makes no two of them one.
    """
    if theirs is not None:
        if theirs["kernel"] and theirs["kernel"] == mine["kernel"]:
            return not runs(theirs["pid"], theirs["begun"])
        if theirs["job"] and theirs["job"] == mine["job"] and theirs["restarts"] < mine["restarts"]:
            return True  # requeued, and this is the newer run
        if (
            theirs["job"]
            and theirs["job"] != mine["job"]
            and (known := listed(theirs["job"])) is not None
        ):
            return not known
    return age > STALE


def told_of(theirs: dict[str, Any] | None) -> str:
    if theirs is None:
        return "someone unknown (a torn lock)"
    job = f"SLURM job {theirs['job']}, " if theirs["job"] else ""
    return f"{job}process {theirs['pid']} on {theirs['host']} since {theirs['since']}"


def tell(work: str | Path, sentence: str) -> None:
    print(f"{Path(work).name}: {sentence}", file=sys.stderr, flush=True)


def listed(job: str) -> bool | None:
    """Whether SLURM knows a job as not ended; None where it does not answer."""
    command = ["squeue", "-h", "-j", str(job), "-o", "%T"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode:
        return False if "Invalid job id" in done.stderr else None
    return bool(set(done.stdout.split()) - ENDED)


def kernel() -> str | None:
    """What processes are counted by.

    This boot of this machine and its PID namespace; None outside Linux.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return None


def begun(pid: int) -> str | None:
    """When a process began, in ticks since boot, which tells it from a later one of its number.

    None if unseen.
    """
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if state in "ZX" else fields[18]  # a zombie has ended


def runs(pid: int, since: str | None) -> bool:
    """Whether process `pid` of this machine is the one that began then."""
    try:
        os.kill(pid, 0)
    except PermissionError:  # another user's, who may be out of sight
        return begun(pid) in (None, since)
    except OSError:
        return False
    return begun(pid) == since
