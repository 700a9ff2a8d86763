"""Write files and folders whole or not at all, link and remove them."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_write(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path in the folder of `path`; the file written there replaces `path`.

    The folder is made if it is missing. If the body fails, the temporary file is removed and `path`
    stays as it was. So no file that is only half written has its final name.

    Parameters
    ----------
    path
        The final name of the file.

    Yields
    ------
    Path
        The path at which the body writes the file.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(text: str, path: Path | str) -> None:
    """Write `text` to `path` as UTF-8, by means of `atomic_write`."""
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def link_or_copy(source: Path | str, target: Path | str) -> None:
    """Give a file, or each file of a folder, a second name without copying its bytes.

    On another disk, where a hard link is not possible, the files are copied.
    """
    if Path(source).is_dir():
        shutil.copytree(source, target, copy_function=link_or_copy)
        return
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def remove_path(path: Path) -> None:
    """Remove a file or a folder, if it exists."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def replace_output(out: Path | str) -> Iterator[Path]:
    """Yield a temporary path; the file or folder that the body makes there replaces `out`.

    If the body fails, `out` stays as it was and nothing else is left.

    Parameters
    ----------
    out
        The final name of a file or of a folder that holds files only.

    Yields
    ------
    Path
        The path at which the body makes the file or the folder.

    Raises
    ------
    ValueError
        If `out` is a folder that contains folders. It is then no model folder, and it is not
        replaced.
    """
    out = Path(out)
    if out.is_dir() and any(path.is_dir() for path in out.iterdir()):
        raise ValueError(
            f"--out {out} contains folders, so it is not a model folder: give a path of its own"
        )
    temporary = out.with_name(f".{out.name}.partial")
    remove_path(temporary)  # A run that was killed may have left one.
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield temporary
        if temporary.is_dir():
            shutil.rmtree(out, ignore_errors=True)
        os.rename(temporary, out)
    finally:
        # If both names are links to the same file, the rename keeps both.
        remove_path(temporary)
