"""A node's work folder: a folder for each key, with the finished result of that key or the
checkpoints so far.

The key is all that decides a result: the spec, the version and the digests of what is read. Its
folder is named by the digest of the key and holds key.json, so that it explains itself. An equal
key takes the finished result back, or goes on from the newest complete checkpoint. Finished results
of other keys stay, so an earlier setting returns at once; `snakemake clean_work` lists and removes
them.

Work of the older layout, with key.json and one result directly in the node's folder, is moved to
the folder of its key at the first touch.
"""

import hashlib
import json
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

from postgrad.records.files import link_or_copy, remove_path, replace_output, write_text

KEY = "key.json"
COMPLETE = "complete"  # the file that is written last into a checkpoint
COLLAPSED = "collapsed.json"  # seeds whose training ended in one class
MODEL = "model"  # the name of a finished model in the folder of its key

Key = dict[str, Any]  # spec, version and the digests of what is read


def key_text(key: Key) -> str:
    return json.dumps(key, sort_keys=True)


def digest(text: str) -> str:
    """The name of the folder of the key with this text."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def result_folder(work: str | Path, key: Key) -> Path:
    """The folder of this key in the work folder of its node."""
    return Path(work) / digest(key_text(key))


def is_key_folder(path: Path) -> bool:
    """Whether a folder has the name of a key's folder."""
    return bool(re.fullmatch("[0-9a-f]{16}", path.name)) and path.is_dir()


def is_finished(folder: Path) -> bool:
    """Whether the folder of a key holds a finished result: a model, or a table of predictions."""
    results = (path for path in folder.glob("*") if path.name == MODEL or path.suffix == ".parquet")
    return (folder / KEY).is_file() and any(vouching(path).is_file() for path in results)


def holds(folder: Path, key: Key) -> bool:
    """Whether what lies in the folder of a key is of this key.

    A kill may have left a folder without one.
    """
    held = folder / KEY
    return held.is_file() and held.read_text(encoding="utf-8") == key_text(key)


def open_work(work: str | Path, key: Key) -> Path | None:
    """Begin a training of this key: return its newest complete checkpoint in `work`, or None.

    What other trainings left unfinished is removed. Finished results of other keys stay.
    """
    move_older_work(work)
    folder = result_folder(work, key)
    for other in Path(work).glob("*"):
        if is_key_folder(other) and other != folder and not is_finished(other):
            remove_result(other)
    if not holds(folder, key):
        remove_result(folder)
        write_text(key_text(key), folder / KEY)
    complete = [path.parent for path in folder.glob(f"checkpoint-*/{COMPLETE}")]
    return max(complete, key=lambda path: int(path.name.partition("-")[2]), default=None)


def collapsed_seeds(work: str | Path, key: Key) -> list[int]:
    """The seeds that `note_collapse` wrote into `work` for this key."""
    move_older_work(work)
    path = result_folder(work, key) / COLLAPSED
    return (
        json.loads(path.read_text(encoding="utf-8"))
        if holds(path.parent, key) and path.is_file()
        else []
    )


def note_collapse(work: str | Path, key: Key, seeds: list[int]) -> None:
    """Go on with another seed.

    First no checkpoint is left, since the next seed would go on from it.
    """
    folder = result_folder(work, key)
    remove_checkpoints(folder)
    write_text(json.dumps(seeds), folder / COLLAPSED)


def keep(work: str | Path, key: Key, out: str | Path, name: str = MODEL) -> None:
    """Keep the finished result `out`, a file or a folder, in `work` as links, and remove every
    checkpoint of its key.

    key.json comes last: whenever a kill comes, it never stands beside a result that is not there or
    not its own.
    """
    move_older_work(work)
    folder = result_folder(work, key)
    if not holds(folder, key):
        remove_result(folder)
    with replace_output(folder / name) as beside:
        link_or_copy(out, beside)
    write_text(key_text(key), folder / KEY)
    remove_checkpoints(folder)


def restored(work: str | Path, key: Key, out: str | Path, name: str = MODEL) -> bool:
    """Whether `work` holds the finished result of this key; if so it stands in `out` again, nothing
    computed.

    The time of key.json then says when the result was last used, as it does after `keep`.
    """
    move_older_work(work)
    folder = result_folder(work, key)
    kept = folder / name
    if not (holds(folder, key) and vouching(kept).is_file()):
        return False
    with replace_output(out) as beside:
        link_or_copy(kept, beside)
        os.utime(vouching(beside))  # Snakemake takes an output older than its inputs for stale
    os.utime(folder / KEY)
    remove_checkpoints(folder)  # a kill may have come between keeping and removing
    print(f"{key['spec']['node']}: spec, version and inputs are as before; finished {kept.stem} taken back",
          file=sys.stderr)  # fmt: skip
    return True


def vouching(result: Path) -> Path:
    """The file whose presence says that a result is there.

    A folder's model.json, or the file itself.
    """
    return result / "model.json" if result.is_dir() else result


def remove_checkpoints(folder: Path) -> None:
    """Remove every checkpoint in the folder of a key."""
    for path in folder.glob("checkpoint-*"):
        shutil.rmtree(path)


def remove_result(folder: Path) -> None:
    """Remove the folder of a key, its key.json first, so that a kill leaves no key beside half a
    result.
    """
    (folder / KEY).unlink(missing_ok=True)
    if folder.is_dir():
        shutil.rmtree(folder)


def move_older_work(work: str | Path, older: str | Path | None = None) -> None:
    """Move work of the older layout to the folder of its key in `work`.

    key.json moves last: after a kill the next call moves the rest, and until then the new folder
    has no key.

    Parameters
    ----------
    older : path, optional
        The folder in which key.json lies directly. Default: `work` itself.
    """
    older = Path(older or work)
    if not (older / KEY).is_file():
        return
    folder = Path(work) / digest((older / KEY).read_text(encoding="utf-8"))
    parts = [path for path in older.iterdir() if path.name != KEY and not is_key_folder(path)]
    if is_finished(folder):  # made anew since, by an equal key
        (older / KEY).unlink()
        for path in parts:
            remove_path(path)
        return
    if (folder / KEY).is_file():
        remove_result(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for path in parts:
        remove_path(folder / path.name)
        os.rename(path, folder / path.name)
    os.rename(older / KEY, folder / KEY)
