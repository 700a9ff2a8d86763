"""A model folder.

Weights, tokenizer and config, and model.json, which is written last (existence means done).
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from postgrad.corpus.text_forms import as_read
from postgrad.records.files import in_place, write_text
from postgrad.records.json_files import json_text
from postgrad.records.posts import read_union


def model_facts(folder: Path | str) -> dict[str, Any]:
    """model.json of a folder. FileNotFoundError where there is none."""
    path = Path(folder) / "model.json"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: make the model first, or give another folder")
    return json.loads(path.read_text(encoding="utf-8"))


def base_facts(folder: Path | str, kind: str) -> dict[str, Any]:
    """model.json of a base; ValueError where it is of another kind than the node asks for."""
    facts = model_facts(folder)
    if facts["kind"] != kind:
        raise ValueError(
            f"base {folder} is of kind {facts['kind']} and the node asks for {kind}: choose one kind"
        )
    return facts


def model_record(folder: Path | str) -> dict[str, str]:
    """A model as part of a key: {"model": folder name, "sha256": of its model.json}."""
    model_facts(folder)
    digest = hashlib.sha256((Path(folder) / "model.json").read_bytes()).hexdigest()
    return {"model": Path(folder).name, "sha256": digest}


def training_posts(
    paths: Sequence[Path | str], drops: Sequence[Path | str], form: str | None = None
) -> tuple[pd.DataFrame, dict[str, str]]:
    """(posts of all files in order, {"folder/file": SHA-256 of a file's kept ids, labels, keywords
    and texts}).

    form: of the posts' texts, see text_forms.as_read; the digests are of the texts as they stand in
    the files.
    """
    frames = [read_union([path], drops) for path in paths]
    digests = {
        "/".join(Path(path).parts[-2:]): posts_digest(frame) for path, frame in zip(paths, frames)
    }
    return as_read(pd.concat(frames, ignore_index=True), form), digests


def posts_digest(
    frame: pd.DataFrame, columns: Iterable[str] = ("post_id", "label", "keyword", "text")
) -> str:
    """SHA-256 of these columns of the posts, row by row in the frame's order."""
    digest = hashlib.sha256()
    cells = frame[list(columns)].astype(object)
    for row in cells.where(cells.notna(), None).itertuples(index=False, name=None):
        digest.update(json.dumps(row).encode())
    return digest.hexdigest()


def training_class_counts(
    frame: pd.DataFrame, labels: Sequence[Mapping[str, Any]], node: str
) -> dict[str, int]:
    """{class name: number of training posts}.

    Raises ValueError if there is no post, or if a post has no label or one outside 0..K-1.
    """
    if frame.empty:
        raise ValueError(
            f"node {node}: no training posts are left; see the data and the audit's drop.parquet"
        )
    unlabelled = int(frame["label"].isna().sum())
    if unlabelled:
        raise ValueError(
            f"node {node}: {unlabelled} training posts have no label; train on labelled datasets only"
        )
    outside = sorted(set(frame["label"]) - set(range(len(labels))))
    if outside:
        raise ValueError(
            f"node {node}: label {outside[0]} is not among its {len(labels)} classes; mend the data"
        )
    counts = frame["label"].value_counts()
    return {label["name"]: int(counts.get(code, 0)) for code, label in enumerate(labels)}


@contextmanager
def model_folder(
    out: Path | str, facts: Mapping[str, Any], timing: Mapping[str, Any] | None = None
) -> Iterator[Path]:
    """A folder beside `out` to save weights in; at the end it takes out's place, model.json already
    in it.

    facts become model.json, timing (a dict that may fill until the end) timing.json. ValueError as
    in_place.
    """
    with in_place(out) as beside:
        beside.mkdir()
        yield beside
        if timing is not None:
            write_text(json_text(timing), beside / "timing.json")
        write_text(json_text(facts), beside / "model.json")
        mask = os.umask(0)
        os.umask(mask)
        for path in beside.glob("*.safetensors"):
            if path.stat().st_mode & 0o777 == 0o600:  # safetensors shuts its files to the group
                path.chmod(0o666 & ~mask)
