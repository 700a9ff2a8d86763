"""A node's work folder: key.json and the finished result, or what a training has reached: complete checkpoints.

The key is all that decides the result: the spec, the version and the digests of what is read. Whatever lies
beside key.json is of that key. An equal key takes the finished result back, or goes on from the newest
complete checkpoint.
"""

import json
import os
import shutil
import sys
from pathlib import Path

from postgrad.records.files import in_place, link, write_text

KEY = "key.json"
COMPLETE = "complete"  # the file that is written last into a checkpoint
COLLAPSED = "collapsed.json"  # seeds whose training ended in one class
MODEL = "model"  # the name of a finished model in its work folder


def key_text(key):
    return json.dumps(key, sort_keys=True)


def holds(work, key):
    """Whether what lies in `work` is of this key."""
    held = Path(work) / KEY
    return held.is_file() and held.read_text(encoding="utf-8") == key_text(key)


def clear(work, key):
    """Remove what another key left in `work`; its key.json first, so that a kill leaves no key beside a half."""
    if not holds(work, key):
        (Path(work) / KEY).unlink(missing_ok=True)
        if Path(work).is_dir():
            shutil.rmtree(work)


def open_work(work, key):
    """The newest complete checkpoint of this key in `work`, or None; what another key left is removed."""
    clear(work, key)
    write_text(key_text(key), Path(work) / KEY)
    complete = [path.parent for path in Path(work).glob(f"checkpoint-*/{COMPLETE}")]
    return max(complete, key=lambda path: int(path.name.partition("-")[2]), default=None)


def collapsed_seeds(work, key):
    """The seeds that `note_collapse` wrote into `work` for this key."""
    path = Path(work) / COLLAPSED
    return json.loads(path.read_text(encoding="utf-8")) if holds(work, key) and path.is_file() else []


def note_collapse(work, seeds):
    """Go on with another seed: first no checkpoint is left, since the next seed would go on from it."""
    remove_checkpoints(work)
    write_text(json.dumps(seeds), Path(work) / COLLAPSED)


def keep(work, key, out, name=MODEL):
    """Keep the finished result `out`, a file or a folder, in `work` as links, and remove every checkpoint.

    key.json comes last: whenever a kill comes, it never stands beside a result that is not there or not its own.
    """
    clear(work, key)
    with in_place(Path(work) / name) as beside:
        link(out, beside)
    write_text(key_text(key), Path(work) / KEY)
    remove_checkpoints(work)


def restored(work, key, out, name=MODEL):
    """Whether `work` holds the finished result of this key; if so it stands in `out` again, nothing computed."""
    kept = Path(work) / name
    if not (holds(work, key) and vouching(kept).is_file()):
        return False
    with in_place(out) as beside:
        link(kept, beside)
        os.utime(vouching(beside))  # Snakemake takes an output older than its inputs for stale
    remove_checkpoints(work)  # a kill may have come between keeping and removing
    print(f"{key['spec']['node']}: spec, version and inputs are as before; finished {kept.stem} taken back",
          file=sys.stderr)  # fmt: skip
    return True


def vouching(result):
    """The file whose presence says that a result is there: a folder's model.json, or the file itself."""
    return result / "model.json" if result.is_dir() else result


def remove_checkpoints(work):
    for path in Path(work).glob("checkpoint-*"):
        shutil.rmtree(path)
