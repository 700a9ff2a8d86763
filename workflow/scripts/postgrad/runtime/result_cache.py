"""Store the results of a node in its work folder and restore them when nothing has changed.

The work folder of a node has one folder for each key. It holds the finished result of this key, or
the checkpoints so far. The key consists of all that decides a result: the spec, the version and the
digests of the files that are read. Its folder is named by the digest of the key and holds the key
itself in key.json. If the key is equal, the finished result is restored, or a training continues
from the newest complete checkpoint. Finished results of other keys stay, so that an earlier setting
needs no new computation; `snakemake clean_work` lists and removes them.

In an older layout, key.json and one result are directly in the folder of the node. They are moved
to the folder of their key at the first access.
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
COMPLETE = "complete"  # the file that is written last to a checkpoint
COLLAPSED = "collapsed.json"  # seeds whose training ended in one class
MODEL = "model"  # the name of a finished model in the folder of its key

Key = dict[str, Any]  # spec, version and the digests of what is read


def key_text(key: Key) -> str:
    """Return the text of a key as key.json holds it."""
    return json.dumps(key, sort_keys=True)


def digest(text: str) -> str:
    """Return the name of the folder of the key with this text."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def result_folder(work: str | Path, key: Key) -> Path:
    """Return the folder of a key in the work folder of its node."""
    return Path(work) / digest(key_text(key))


def is_key_folder(path: Path) -> bool:
    """Return whether a path is a folder whose name is the digest of a key."""
    return bool(re.fullmatch("[0-9a-f]{16}", path.name)) and path.is_dir()


def is_finished(folder: Path) -> bool:
    """Return whether the folder of a key holds a finished model or a table of predictions."""
    results = (path for path in folder.glob("*") if path.name == MODEL or path.suffix == ".parquet")
    return (folder / KEY).is_file() and any(result_marker(path).is_file() for path in results)


def has_key(folder: Path, key: Key) -> bool:
    """Return whether the content of a folder belongs to this key.

    A process that was killed may have left a folder without key.json.
    """
    key_file = folder / KEY
    return key_file.is_file() and key_file.read_text(encoding="utf-8") == key_text(key)


def open_work(work: str | Path, key: Key) -> Path | None:
    """Prepare the work folder for a training and return its newest complete checkpoint, if any.

    Unfinished work of other keys is removed. Finished results of other keys stay.
    """
    move_older_work(work)
    folder = result_folder(work, key)
    for other in Path(work).glob("*"):
        if is_key_folder(other) and other != folder and not is_finished(other):
            remove_result(other)
    if not has_key(folder, key):
        remove_result(folder)
        write_text(key_text(key), folder / KEY)
    complete = [path.parent for path in folder.glob(f"checkpoint-*/{COMPLETE}")]
    return max(complete, key=lambda path: int(path.name.partition("-")[2]), default=None)


def collapsed_seeds(work: str | Path, key: Key) -> list[int]:
    """Return the seeds that `note_collapse` recorded in `work` for this key."""
    move_older_work(work)
    path = result_folder(work, key) / COLLAPSED
    if not (has_key(path.parent, key) and path.is_file()):
        return []
    return json.loads(path.read_text(encoding="utf-8"))


def note_collapse(work: str | Path, key: Key, seeds: list[int]) -> None:
    """Record the seeds whose training ended in one class, and remove the checkpoints.

    The checkpoints are removed first, since the next seed would continue from them.
    """
    folder = result_folder(work, key)
    remove_checkpoints(folder)
    write_text(json.dumps(seeds), folder / COLLAPSED)


def store_result(work: str | Path, key: Key, out: str | Path, name: str = MODEL) -> None:
    """Store a finished result in the work folder as links, and remove the checkpoints of its key.

    key.json is written last. So even if the process is killed, there is no key.json without its
    result or with the result of another key.

    Parameters
    ----------
    work
        The work folder of the node.
    key
        The key of the result.
    out
        The result, a file or a folder.
    name
        The name of the result in the folder of the key. Default: model.
    """
    move_older_work(work)
    folder = result_folder(work, key)
    if not has_key(folder, key):
        remove_result(folder)
    with replace_output(folder / name) as temporary:
        link_or_copy(out, temporary)
    write_text(key_text(key), folder / KEY)
    remove_checkpoints(folder)


def restore_result(work: str | Path, key: Key, out: str | Path, name: str = MODEL) -> bool:
    """Restore the finished result of a key from the work folder, if it is there.

    The modification time of key.json then says when the result was last used, as it does after
    `store_result`.

    Parameters
    ----------
    work
        The work folder of the node.
    key
        The key of the result.
    out
        Where the result is restored. It replaces what is there.
    name
        The name of the result in the folder of the key. Default: model.

    Returns
    -------
    bool
        Whether the result was restored.
    """
    move_older_work(work)
    folder = result_folder(work, key)
    stored = folder / name
    if not (has_key(folder, key) and result_marker(stored).is_file()):
        return False
    with replace_output(out) as temporary:
        link_or_copy(stored, temporary)
        # Snakemake would make an output again that is older than its inputs.
        os.utime(result_marker(temporary))
    os.utime(folder / KEY)
    remove_checkpoints(folder)  # if a process was killed between storing and removing
    node = key["spec"]["node"]
    print(
        f"{node}: spec, version and inputs are as before; finished {stored.stem} restored",
        file=sys.stderr,
    )
    return True


def result_marker(result: Path) -> Path:
    """Return the file whose presence says that a result is complete.

    This is model.json in a model folder, and otherwise the result itself.
    """
    return result / "model.json" if result.is_dir() else result


def node_results(node: Path) -> list[list[tuple[Path, Key]]]:
    """Return the results of a node as (folder, key), in one list for each of its datasets.

    The result that was used last is at the end of its list.
    """
    groups: dict[tuple[Any, ...], list[tuple[Path, Key]]] = {}
    for file in sorted(node.rglob(KEY), key=lambda file: (file.stat().st_mtime_ns, file)):
        if is_key_folder(file.parent):
            key = json.loads(file.read_text(encoding="utf-8"))
            group = (file.parent.parent, key["spec"].get("dataset"), key.get("shard"))
            groups.setdefault(group, []).append((file.parent, key))
    return list(groups.values())


def remove_checkpoints(folder: Path) -> None:
    """Remove every checkpoint in the folder of a key."""
    for path in folder.glob("checkpoint-*"):
        shutil.rmtree(path)


def remove_result(folder: Path) -> None:
    """Remove the folder of a key.

    key.json is removed first, so that a process that is killed leaves no key with half a result.
    """
    (folder / KEY).unlink(missing_ok=True)
    if folder.is_dir():
        shutil.rmtree(folder)


def move_older_work(work: str | Path, older: str | Path | None = None) -> None:
    """Move work of the older layout to the folder of its key in `work`.

    key.json is moved last. If the process is killed before, the next call moves the rest, and until
    then the new folder has no key.

    Parameters
    ----------
    work
        The work folder of the node.
    older
        The folder that contains key.json directly. Default: `work`.
    """
    older = Path(older or work)
    if not (older / KEY).is_file():
        return
    folder = Path(work) / digest((older / KEY).read_text(encoding="utf-8"))
    parts = [path for path in older.iterdir() if path.name != KEY and not is_key_folder(path)]
    if is_finished(folder):  # It was computed again since, with an equal key.
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
