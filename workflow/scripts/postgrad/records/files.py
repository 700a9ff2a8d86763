"""Files and folders written beside the final name and renamed, so that no half-written one has a
final name; links.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_write(path: Path | str) -> Iterator[Path]:
    """A path beside `path` at which the body writes a file; at the end the file takes the place of
    `path`.

    The folder is made where it is missing. If the body fails, nothing is left and `path` stays as
    it was.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield beside
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def write_text(text: str, path: Path | str) -> None:
    """Write `text` to `path` as UTF-8, by `atomic_write`."""
    with atomic_write(path) as beside:
        beside.write_text(text, encoding="utf-8")


def link(source: Path | str, target: Path | str) -> None:
    """A second name for a file, or for each file of a folder, without bytes being copied.

    A copy on another disk.
    """
    if Path(source).is_dir():
        shutil.copytree(source, target, copy_function=link)
        return
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def remove(path: Path) -> None:
    """Remove a file or a folder, if there is one."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def in_place(out: Path | str) -> Iterator[Path]:
    """A path beside `out`, to make a file or a folder at; at the end it takes out's place.

    Nothing shows under `out` if the body fails. ValueError where `out` holds a folder: then it is
    no model's.
    """
    out = Path(out)
    if out.is_dir() and any(path.is_dir() for path in out.iterdir()):
        raise ValueError(
            f"--out {out} holds folders, so it is no model folder: give a path of its own"
        )
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
