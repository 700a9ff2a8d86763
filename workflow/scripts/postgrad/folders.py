"""A model folder: weights, tokenizer and config, and model.json, which is written last (existence means done)."""

import hashlib
import json
import os
import shutil
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from postgrad.posts import read_union, write_text
from postgrad.results import json_text
from postgrad.texts import as_read


def model_facts(folder):
    """model.json of a folder. FileNotFoundError where there is none."""
    path = Path(folder) / "model.json"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: make the model first, or give another folder")
    return json.loads(path.read_text(encoding="utf-8"))


def base_facts(folder, kind):
    """model.json of a base; ValueError where it is of another kind than the node asks for."""
    facts = model_facts(folder)
    if facts["kind"] != kind:
        raise ValueError(f"base {folder} is of kind {facts['kind']} and the node asks for {kind}: choose one kind")
    return facts


def model_record(folder):
    """A model as part of a key: {"model": folder name, "sha256": of its model.json}."""
    model_facts(folder)
    digest = hashlib.sha256((Path(folder) / "model.json").read_bytes()).hexdigest()
    return {"model": Path(folder).name, "sha256": digest}


def training_posts(paths, drops, form=None):
    """(posts of all files in order, {"folder/file": SHA-256 of a file's kept ids, labels, keywords and texts}).

    form: of the posts' texts, see texts.as_read; the digests are of the texts as they stand in the files.
    """
    frames = [read_union([path], drops) for path in paths]
    digests = {"/".join(Path(path).parts[-2:]): posts_digest(frame) for path, frame in zip(paths, frames)}
    return as_read(pd.concat(frames, ignore_index=True), form), digests


def posts_digest(frame, columns=("post_id", "label", "keyword", "text")):
    """SHA-256 of these columns of the posts, row by row in the frame's order."""
    digest = hashlib.sha256()
    cells = frame[list(columns)].astype(object)
    for row in cells.where(cells.notna(), None).itertuples(index=False, name=None):
        digest.update(json.dumps(row).encode())
    return digest.hexdigest()


def class_counts(frame, labels, node):
    """{class name: posts}. ValueError where a post has no label, or one outside 0..K-1, or there is no post."""
    if frame.empty:
        raise ValueError(f"node {node}: no training posts are left; see the data and the audit's drop.parquet")
    unlabelled = int(frame["label"].isna().sum())
    if unlabelled:
        raise ValueError(f"node {node}: {unlabelled} training posts have no label; train on labelled datasets only")
    outside = sorted(set(frame["label"]) - set(range(len(labels))))
    if outside:
        raise ValueError(f"node {node}: label {outside[0]} is not among its {len(labels)} classes; mend the data")
    counts = frame["label"].value_counts()
    return {label["name"]: int(counts.get(code, 0)) for code, label in enumerate(labels)}


def link(source, target):
    """A second name for a file, or for each file of a folder, without bytes being copied; a copy on another disk."""
    if Path(source).is_dir():
        shutil.copytree(source, target, copy_function=link)
        return
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def remove(path):
    """Remove a file or a folder, if there is one."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def in_place(out):
    """A path beside `out`, to make a file or a folder at; at the end it takes out's place.

    Nothing shows under `out` if the body fails. ValueError where `out` holds a folder: then it is no model's.
    """
    out = Path(out)
    if out.is_dir() and any(path.is_dir() for path in out.iterdir()):
        raise ValueError(f"--out {out} holds folders, so it is no model folder: give a path of its own")
    beside = out.with_name(f".{out.name}.partial")
    remove(beside)  # what a killed run left
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield beside
        if beside.is_dir():
            shutil.rmtree(out, ignore_errors=True)
        os.rename(beside, out)
    finally:
        remove(beside)  # a rename between two names of one file leaves both


@contextmanager
def model_folder(out, facts, timing=None):
    """A folder beside `out` to save weights in; at the end it takes out's place, model.json already in it.

    facts become model.json, timing (a dict that may fill until the end) timing.json. ValueError as in_place.
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
