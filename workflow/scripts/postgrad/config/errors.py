"""Mistakes in configuration files as sentences, which are gathered and shown together."""

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from typing import TypeVar

PLACE = re.compile(r"(?<=\.yaml): [^\s:]+(?=: )")  # in a sentence: the key, behind the file's name


T = TypeVar("T")


class Fault(ValueError):
    """Mistakes in configuration files, a sentence each: which file, which key, what was found, what to do.

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
    """Sentences that differ in their place alone as one, with the first place: an anchor's slip is one slip."""
    groups: dict[str, list[str]] = {}
    for sentence in sentences:
        groups.setdefault(PLACE.sub("", sentence, count=1), []).append(sentence)
    more = {first: f" and {len(others)} more" if others else "" for first, *others in groups.values()}
    return [PLACE.sub(rf"\g<0>{count}", first, count=1) for first, count in more.items()]


@contextmanager
def stop_on_faults() -> Iterator[None]:
    """A Fault of the body ends the program, with a sentence for each mistake and without a traceback."""
    try:
        yield
    except Fault as fault:
        sentences = told_once(fault.sentences)
        sys.exit("\n  ".join([f"Nothing was run: {len(sentences)} to mend in the configuration.", *sentences]))


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
