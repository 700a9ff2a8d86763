"""Model folders: weights, tokenizer, config, and model.json, which is written last.

A folder with model.json is finished. The module also reads the posts of a training and computes the
digests that model.json records.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from postgrad.corpus.text_forms import convert_texts
from postgrad.records.files import replace_output, write_text
from postgrad.records.json_files import json_text
from postgrad.records.posts import read_posts_without_dropped


def read_model_record(folder: Path | str) -> dict[str, Any]:
    """Return the content of a folder's model.json; raise `FileNotFoundError` if it is missing."""
    path = Path(folder) / "model.json"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: make the model first, or give another folder")
    return json.loads(path.read_text(encoding="utf-8"))


def read_base_record(folder: Path | str, kind: str) -> dict[str, Any]:
    """Return the content of a base's model.json; raise `ValueError` if it is of another kind."""
    facts = read_model_record(folder)
    if facts["kind"] != kind:
        raise ValueError(
            f"base {folder} is of kind {facts['kind']}, but the node needs kind {kind}; "
            "choose another base"
        )
    return facts


def model_key(folder: Path | str) -> dict[str, str]:
    """Return what identifies a model in a key: `model`, its folder's name, and `sha256`.

    The digest is that of its model.json. Raise `FileNotFoundError` if there is none.
    """
    read_model_record(folder)
    digest = hashlib.sha256((Path(folder) / "model.json").read_bytes()).hexdigest()
    return {"model": Path(folder).name, "sha256": digest}


def read_training_posts(
    paths: Sequence[Path | str], drops: Sequence[Sequence[Path | str]], form: str | None = None
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return the posts of several files, in order, and a digest of each file.

    Parameters
    ----------
    paths
        Files of posts.
    drops
        For each file, the lists of the posts that are left out of it.
    form
        The form in which a model reads the texts; see `corpus.text_forms`.

    Returns
    -------
    posts : DataFrame
        The posts of all files.
    digests : dict
        "folder/file" -> SHA-256 of the ids, labels, keywords and texts that are kept. The texts are
        those of the file, whatever `form` is.
    """
    frames = [
        read_posts_without_dropped([path], left_out)
        for path, left_out in zip(paths, drops, strict=True)
    ]
    digests = {
        "/".join(Path(path).parts[-2:]): posts_digest(frame) for path, frame in zip(paths, frames)
    }
    return convert_texts(pd.concat(frames, ignore_index=True), form), digests


def posts_digest(
    frame: pd.DataFrame, columns: Iterable[str] = ("post_id", "label", "keyword", "text")
) -> str:
    """Return the SHA-256 of these columns of the posts, row by row in the frame's order."""
    digest = hashlib.sha256()
    cells = frame[list(columns)].astype(object)
    for row in cells.where(cells.notna(), None).itertuples(index=False, name=None):
        digest.update(json.dumps(row).encode())
    return digest.hexdigest()


def training_class_counts(
    frame: pd.DataFrame, labels: Sequence[Mapping[str, Any]], node: str
) -> dict[str, int]:
    """Return the number of training posts of each class.

    Parameters
    ----------
    frame
        The training posts.
    labels
        The K labels of the task, with `name`, in class order.
    node
        The name of the node, for messages.

    Returns
    -------
    dict
        Class name -> number of posts, in class order.

    Raises
    ------
    ValueError
        If there is no post, or a post has no label or one outside 0 to K - 1.
    """
    if frame.empty:
        raise ValueError(
            f"node {node}: no training posts are left; see the data and the audit's drop.parquet"
        )
    unlabelled = int(frame["label"].isna().sum())
    if unlabelled:
        raise ValueError(
            f"node {node}: {unlabelled} training posts have no label; "
            "train on labelled datasets only"
        )
    outside = sorted(set(frame["label"]) - set(range(len(labels))))
    if outside:
        raise ValueError(
            f"node {node}: label {outside[0]} is not among its {len(labels)} classes; "
            "correct the data"
        )
    counts = frame["label"].value_counts()
    return {label["name"]: int(counts.get(code, 0)) for code, label in enumerate(labels)}


@contextmanager
def write_model_folder(
    out: Path | str, facts: Mapping[str, Any], timing: Mapping[str, Any] | None = None
) -> Iterator[Path]:
    """Write a model folder: yield a folder for the weights, which replaces `out` at the end.

    Parameters
    ----------
    out
        The model folder. Nothing is changed if the body fails.
    facts
        Content of model.json.
    timing
        Content of timing.json; a dictionary may be filled until the end. Default: no timing.json.

    Raises
    ------
    ValueError
        If `out` contains folders, so that it is no model folder.
    """
    with replace_output(out) as temporary:
        temporary.mkdir()
        yield temporary
        if timing is not None:
            write_text(json_text(timing), temporary / "timing.json")
        write_text(json_text(facts), temporary / "model.json")
        mask = os.umask(0)
        os.umask(mask)
        for path in temporary.glob("*.safetensors"):
            if (
                path.stat().st_mode & 0o777 == 0o600
            ):  # safetensors denies the group access to its files
                path.chmod(0o666 & ~mask)
