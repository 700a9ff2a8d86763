"""Errors in configuration files, which are collected and shown together."""

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from typing import TypeVar

PLACE = re.compile(r"(?<=\.yaml): [^\s:]+(?=: )")  # in a sentence: the key, behind the file's name
T = TypeVar("T")


class ConfigError(ValueError):
    """Mistakes in configuration files, one message each.

    A message says which file, which key, what was found and what to do. An error without a message
    says that something is unusable because of a mistake that was already reported.

    Parameters
    ----------
    *sentences
        The messages.
    """

    def __init__(self, *sentences: str) -> None:
        super().__init__("\n".join(sentences))
        self.sentences = sentences


class ConfigErrors(list[str]):
    """Messages of errors, each once, which are collected while reading continues."""

    @contextmanager
    def collecting(self) -> Iterator[None]:
        """Collect a `ConfigError` of the body instead of raising it."""
        try:
            yield
        except ConfigError as fault:
            self.extend(sentence for sentence in fault.sentences if sentence not in self)

    def raise_any(self) -> None:
        """Raise all collected messages as one `ConfigError`, if there are any."""
        if self:
            raise ConfigError(*self)


def merge_alike_messages(sentences: Iterable[str]) -> list[str]:
    """Merge messages that differ only in their node into one message that lists all places.

    A mistake in a YAML anchor, for example, is found at each node that uses the anchor. If the
    messages name the nodes of their places, the merged one says "each of them".

    Examples
    --------
    >>> merge_alike_messages(["a.yaml: models.x.lr: too large.", "a.yaml: models.y.lr: too large."])
    ['a.yaml: models.x.lr, models.y.lr: too large.']
    """
    alike = _grouped(sentences, lambda place, finding: finding)
    single = [group[0] for group in alike.values() if len(group) == 1]
    several = [item for item in alike.items() if len(item[1]) > 1]
    messages = {}
    for (start, finding), group in [*several, *_grouped(single, _without_node).items()]:
        places = ", ".join(map(place_of, group))
        messages[group[0]] = f"{start}: {places}{finding}" if len(group) > 1 else group[0]
    return [messages[sentence] for sentence in sentences if sentence in messages]


def _grouped(
    sentences: Iterable[str], finding: Callable[[str, str], str]
) -> dict[tuple[str, str], list[str]]:
    """Return messages by (file, finding).

    Parameters
    ----------
    sentences
        The messages.
    said
        A function of a place and of what is found there, which returns the finding to compare.
    """
    groups: dict[tuple[str, str], list[str]] = {}
    for sentence in sentences:
        key = (sentence, "")
        if match := PLACE.search(sentence):
            key = (sentence[: match.start()], finding(place_of(sentence), sentence[match.end() :]))
        groups.setdefault(key, []).append(sentence)
    return groups


def _without_node(place: str, finding: str) -> str:
    """Return a finding with "each of them" for the node of its place, such as x in models.x.lr.

    Paths are left unchanged.
    """
    name = re.escape((place.split(".") + [place])[1])
    return re.sub(rf"'{name}'|(?<![\w@/.-]){name}(?![\w@/-]|\.\w)", "each of them", finding)


def place_of(sentence: str) -> str:
    """Return the key that a message is about; "" if it names only a file.

    Examples
    --------
    >>> place_of("a.yaml: models.x.lr: too large.")
    'models.x.lr'
    """
    match = PLACE.search(sentence)
    return match[0][2:] if match else ""


@contextmanager
def exit_on_config_error() -> Iterator[None]:
    """End the program on a `ConfigError` of the body, with its messages and without a traceback."""
    try:
        yield
    except ConfigError as fault:
        sentences = merge_alike_messages(fault.sentences)
        count = f"{len(sentences)} mistake{'s' * (len(sentences) != 1)}"
        sys.exit("\n  ".join([f"Nothing was run: the configuration has {count}.", *sentences]))


def name_suggestion(word: object, known: Iterable[object]) -> str:
    """Return the end of a message about an unknown name: the nearest known name, or all of them.

    Examples
    --------
    >>> name_suggestion("trian", ["train", "dev"])
    "did you mean 'train'?"
    >>> name_suggestion("x", ["train", "dev"])
    'known: dev, train.'
    """
    names = sorted(map(str, known))
    close = get_close_matches(str(word), names, 1)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(names) or 'none'}."


def lookup(table: Mapping[str, T], name: str, where: str, what: str) -> T:
    """Return table[name].

    Parameters
    ----------
    table
        The known names and their values.
    name
        The name to look up.
    where
        The place that gives the name, for the message.
    what
        What kind of thing is named, for the message: "label", for example.

    Raises
    ------
    ConfigError
        If the name is unknown. The message names the place and the nearest known name.
    """
    if name not in table:
        raise ConfigError(f"{where}: there is no {what} {name!r}; {name_suggestion(name, table)}")
    return table[name]
