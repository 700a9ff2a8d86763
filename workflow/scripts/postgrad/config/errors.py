"""Mistakes in configuration files as sentences, which are gathered and shown together."""

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from typing import TypeVar

PLACE = re.compile(r"(?<=\.yaml): [^\s:]+(?=: )")  # in a sentence: the key, behind the file's name
T = TypeVar("T")


class Fault(ValueError):
    """Mistakes in configuration files, a sentence each: which file, which key, what was found, what
    to do.

    Without a sentence: what was asked for hangs on something whose fault is told already.
    """

    def __init__(self, *sentences: str) -> None:
        super().__init__("\n".join(sentences))
        self.sentences = sentences


class Faults(list[str]):
    """Sentences of faults, each once, gathered while the reading goes on."""

    @contextmanager
    def gathered(self) -> Iterator[None]:
        """The faults of the body, instead of the first of them ending everything."""
        try:
            yield
        except Fault as fault:
            self.extend(sentence for sentence in fault.sentences if sentence not in self)

    def end(self) -> None:
        """Raise what was gathered, if anything was."""
        if self:
            raise Fault(*self)


def told_once(sentences: Iterable[str]) -> list[str]:
    """Tell faults that differ in the node alone as one sentence, which lists their places.

    A slip in an anchor, say, is found at each node that takes the anchor in. Where the sentences
    name the nodes of their places, the common one says "each of them".
    """
    alike = _grouped(sentences, lambda place, finding: finding)
    single = [group[0] for group in alike.values() if len(group) == 1]
    several = [item for item in alike.items() if len(item[1]) > 1]
    told = {}
    for (start, finding), group in [*several, *_grouped(single, _without_node).items()]:
        places = ", ".join(map(place_of, group))
        told[group[0]] = f"{start}: {places}{finding}" if len(group) > 1 else group[0]
    return [told[sentence] for sentence in sentences if sentence in told]


def _grouped(
    sentences: Iterable[str], said: Callable[[str, str], str]
) -> dict[tuple[str, str], list[str]]:
    """{(file, what is found): sentences}; said: a function of a place and what is found there."""
    groups: dict[tuple[str, str], list[str]] = {}
    for sentence in sentences:
        key = (sentence, "")
        if match := PLACE.search(sentence):
            key = (sentence[: match.start()], said(place_of(sentence), sentence[match.end() :]))
        groups.setdefault(key, []).append(sentence)
    return groups


def _without_node(place: str, finding: str) -> str:
    """What is found, with "each of them" for the node of the place, as in models.plain.lr.

    Paths stay as they are.
    """
    name = re.escape((place.split(".") + [place])[1])
    return re.sub(rf"'{name}'|(?<![\w@/.-]){name}(?![\w@/-]|\.\w)", "each of them", finding)


def place_of(sentence: str) -> str:
    """The key at which a sentence finds a fault; "" where it names a file alone."""
    match = PLACE.search(sentence)
    return match[0][2:] if match else ""


@contextmanager
def stop_on_faults() -> Iterator[None]:
    """A Fault of the body ends the program, with a sentence for each mistake and without a
    traceback.
    """
    try:
        yield
    except Fault as fault:
        sentences = told_once(fault.sentences)
        sys.exit(
            "\n  ".join(
                [f"Nothing was run: {len(sentences)} to mend in the configuration.", *sentences]
            )
        )


def nearest(word: object, known: Iterable[object]) -> str:
    """The remedy for an unknown name: the nearest known one, or all of them."""
    names = sorted(map(str, known))
    close = get_close_matches(str(word), names, 1)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(names) or 'none'}."


def lookup(table: Mapping[str, T], name: str, where: str, what: str) -> T:
    """table[name], or a Fault that names the place and the nearest right name."""
    if name not in table:
        raise Fault(f"{where}: there is no {what} {name!r}; {nearest(name, table)}")
    return table[name]
