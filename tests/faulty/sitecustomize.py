"""Read by every Python of a test run with this folder on PYTHONPATH: faults of a training, each at
its exact place.

Python tells an audit hook what it is about to open, make, rename and remove, so no line of the
product is altered. A node's name says what its training meets, once: `met/<node>` in the tree is
the mark that it did.
"""

import os
import re
import signal
import sys
import time

KILLED = {  # node: (audit event, end of the path) at which the training's process is killed
    "before-checkpoint": ("os.mkdir", "/checkpoint-20"),
    "after-checkpoint": ("os.mkdir", "/checkpoint-40"),
    "in-checkpoint": ("open", "/checkpoint-40/trainer_state.json"),
    "in-model": ("os.rename", "/finetune/in-model"),
    "after-model": ("shutil.rmtree", "/checkpoint-40"),
}
MIDWAY = ("os.mkdir", "/checkpoint-40")  # where all others meet theirs
GREEDY = 26 * 10**8  # bytes: more than the job asked for


def meets(event, arguments):
    if event not in ("os.mkdir", "open", "os.rename", "shutil.rmtree"):
        return
    path = str(arguments[1 if event == "os.rename" else 0])
    found = re.search("/finetune/([a-z-]+)(?=/|$)", path)
    if found and (event, True) == (
        KILLED.get(found[1], MIDWAY)[0],
        path.endswith(KILLED.get(found[1], MIDWAY)[1]),
    ):
        meet(found[1])


def meet(node):
    try:
        os.close(os.open(f"met/{node}", os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return
    if node in KILLED:
        os.kill(os.getpid(), signal.SIGKILL)
    hoard = b"1" * GREEDY if node == "memory" else b""
    stopping = sys.modules["postgrad.runtime.signals"]
    while not os.path.exists(f"met/{node}.go") and (
        hoard or node == "too-long" or not stopping.is_stop_requested()
    ):
        time.sleep(0.05)


if "finetune.py" in " ".join(sys.orig_argv[:2]):
    sys.addaudithook(meets)
elif "SLURM_JOB_ID" not in os.environ and "snakemake" in sys.orig_argv:
    import asyncio

    sleep = (
        asyncio.sleep
    )  # the plugin looks ten seconds later each time that it finds nothing ended
    asyncio.sleep = lambda seconds, *more: sleep(min(seconds, 1.5), *more)
