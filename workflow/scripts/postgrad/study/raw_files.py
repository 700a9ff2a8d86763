"""The raw files of a study, held against its task files before anything runs.

The header and the first rows of each file are read once. What was found is kept in work/ by the
path, size and time of change of the file, so that a start with known files reads none of them.
"""

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from postgrad.config.yaml_files import as_list
from postgrad.records.files import write_text
from postgrad.records.json_files import json_text, read_json

VERSION = 1  # of the checks: with another number, every file is read again


@dataclass(frozen=True)
class RawFile:
    """A raw file and what a task file says of it.

    Attributes
    ----------
    place : str
        Its place in the configuration, for messages.
    path : Path
        The file.
    task : str
        The name of the task.
    columns : dict
        The names that the column of each key may have.
    labels : list of dict or None
        The names and values of the labels of the task; None if they are not compared.
    layout : dict
        How the file is written, as the reader's `Layout`.
    """

    place: str
    path: Path
    task: str
    columns: Mapping[str, list[str]]
    labels: list[dict[str, Any]] | None
    layout: Mapping[str, str | None]

    def state(self) -> list[int]:
        """Return size and time of change of the file, and of the file of its labels if any."""
        paths = [self.path, *([Path(paired)] if (paired := self.layout["paired"]) else [])]
        states = [path.stat() for path in paths if path.is_file()]
        return [number for one in states for number in (one.st_size, one.st_mtime_ns)]


def described_files(
    task: str,
    body: Mapping[str, Any],
    parts: Iterable[tuple[str, Mapping[str, Any], Iterable[Path]]],
    data: str,
    where: str,
) -> list[RawFile]:
    """Return the raw files of a task, gold files that exist among them.

    Parameters
    ----------
    task
        The name of the task.
    body
        The content of the task file.
    parts
        (key path in the task file, part of the file, paths), as `Study.raw_parts` returns them.
    data
        The folder of the raw posts.
    where
        The task file, for messages.
    """
    values = [{key: label[key] for key in ("name", "value")} for label in body["labels"]]
    files = []
    for key, part, paths in parts:
        columns = part.get("columns", {"text": "text", "label": "label"})  # of a file of lines
        names = {
            name: as_list(column["column"] if isinstance(column, dict) else column)
            for name, column in columns.items()
        }
        labels = None if isinstance(columns.get("label"), dict) else values
        layout = {name: part.get(name) for name in ("encoding", "sheet", "delimiter", "quotes")}
        layout["paired"] = str(Path(data) / part["labels_file"]) if "labels_file" in part else None
        own = {name: names[name] for name in names if name != "label" or "gold" not in part}
        files += [RawFile(f"{where}: {key}", path, task, own, labels, layout) for path in paths]
        if "gold" in part and (gold := Path(data) / part["gold"]).is_file():
            place = f"{where}: {key.rpartition('.')[0]}.gold"
            of_gold = {name: names[name] for name in ("id", "label")}
            files.append(RawFile(place, gold, task, of_gold, labels, layout))
    return files


def raw_file_messages(files: Iterable[RawFile], cache: Path) -> list[str]:
    """Return a message for everything in raw files that does not fit their task files.

    Parameters
    ----------
    files
        The files.
    cache
        Where what was found is kept. Without a folder that can be written, it is found each time.
    """
    kept = _read_cache(cache)
    known: dict[str, Any] = dict(kept)
    messages = []
    for file in files:
        description = [VERSION, file.task, file.columns, file.labels, file.layout, file.state()]
        key = json.dumps(description, sort_keys=True)
        entry = known.get(str(file.path), {})
        if key not in entry:
            # What was found in an earlier state of the file is of no more use.
            current = {
                other: found
                for other, found in entry.items()
                if json.loads(other)[-1] == file.state()
            }
            entry = {**current, key: _find_misfits(file)}
        known[str(file.path)] = entry
        messages += [f"{file.place}: {misfit}" for misfit in entry[key]]
    if known != kept:
        with suppress(OSError):  # the files are then read again at the next start
            write_text(json_text(known), cache)
    return messages


def _find_misfits(file: RawFile) -> list[str]:
    # Imported only where a file has to be read.
    from postgrad.corpus.raw_checks import find_misfits
    from postgrad.corpus.readers import Layout

    return find_misfits(file.path, file.columns, file.labels, Layout(**file.layout), file.task)


def _read_cache(cache: Path) -> dict[str, Any]:
    """Return the content of the cache, or an empty dict if there is none that can be read."""
    try:
        content = read_json(cache)
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
