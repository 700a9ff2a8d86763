"""A study that extends another: the files of both read as one mapping."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from postgrad.config.errors import ConfigError

Content = Mapping[str, Any]
Files = Sequence[tuple[str, Content]]


def read_study_files(
    name: str, read: Callable[[str, str], tuple[str, Content | None]], named: str
) -> list[tuple[str, Content]]:
    """Return the (path, content) of a study and of all that it extends, its own file first.

    Parameters
    ----------
    name
        The study.
    read
        Returns (path, content) of a study when called with its name and the place that names it.
        The content is None if the file cannot be read, which `read` has told already.
    named
        The place that names the study.

    Raises
    ------
    ConfigError
        If a study extends itself, directly or through others; without a sentence if a file cannot
        be read.
    """
    files: dict[str, tuple[str, Content]] = {}
    following: str | None = name
    while following is not None:
        if following in files:
            names = list(files)[list(files).index(following) :]
            raise ConfigError(_cycle(names, [files[name][0] for name in names]))
        path, content = read(following, named)
        if content is None:
            raise ConfigError()
        files[following] = path, content
        following, named = content.get("extends"), f"{path}: extends"
    return list(files.values())


def _cycle(names: list[str], paths: list[str]) -> str:
    """Return the message about a cycle, which is the same for all studies of the cycle."""
    first = names.index(min(names))
    round_trip = " -> ".join([*names[first:], *names[:first], names[first]])
    return f"{paths[first]}: extends: {round_trip} is a cycle; let one of them extend no other."


def merge_files(files: Files) -> dict[str, Any]:
    """Return the content of `study_files` as one mapping, without the key `extends`.

    Mappings are merged key by key, at all depths. Of any other value, lists included, that of the
    first file that has the key stands.

    >>> own = {"extends": "a", "bind": {"x": {"p": 3}}}
    >>> merge_files([("b.yaml", own), ("a.yaml", {"bind": {"x": {"p": 1, "q": 2}}})])
    {'bind': {'x': {'p': 3, 'q': 2}}}
    """
    whole: dict[str, Any] = {}
    for _, content in reversed(files):
        whole = _overlay(whole, content)
    return {key: value for key, value in whole.items() if key != "extends"}


def _overlay(below: Content, above: Content) -> dict[str, Any]:
    both = {
        key
        for key, value in above.items()
        if isinstance(value, dict) and isinstance(below.get(key), dict)
    }
    own = {
        key: _overlay(below[key], value) if key in both else value for key, value in above.items()
    }
    return {**below, **own}


def key_place(files: Files, keys: Sequence[str]) -> str:
    """Return the path of the file whose value stands under these keys, one below the other.

    It is the study's own file if none has such a value.
    """
    return next((path for path, content in files if _has(content, keys)), files[0][0])


def _has(content: Any, keys: Sequence[str]) -> bool:
    for key in keys:
        if not isinstance(content, dict) or key not in content:
            return False
        content = content[key]
    return True
