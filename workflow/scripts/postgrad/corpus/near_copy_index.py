"""An index of texts, to which texts are added one by one, that tells near-copies of them."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from postgrad.corpus.near_duplicates import MIN_WORDS, SHARE
from postgrad.corpus.text_forms import normalize_text
from postgrad.corpus.word_hashes import plain_words


class NearCopyIndex:
    """An index of texts that tells whether another text is a near-copy of one of them.

    It grows text by text; `NearCopies` compares many texts at once. Texts of fewer than `MIN_WORDS`
    different words are near-copies as well if they share at least `SHARE` of all their words. Each
    text is at a place, such as "train".

    Parameters
    ----------
    places
        The texts of each place, in the order in which the places are searched.

    Examples
    --------
    >>> index = NearCopyIndex({"train": ["my son was diagnosed with asthma when he was four"]})
    >>> index.place("My son was diagnosed with asthma when he was FIVE")
    'train'
    >>> index.place("RT @maria: my son was diagnosed with asth...")
    'train'
    >>> index.place("my daughter has asthma") is None
    True
    """

    def __init__(self, places: Mapping[str, Iterable[str]]) -> None:
        """Index the texts of each place."""
        # place -> {number of words: sets of so many words}
        self.sizes: dict[str, dict[int, list[frozenset[tuple[str, int]]]]] = {}
        # place -> {first two words: words of each text, and whether it is cut off}
        self.heads: dict[str, dict[tuple[str, ...], list[tuple[list[str], bool]]]] = {}
        for place, texts in places.items():
            self.sizes[place], self.heads[place] = {}, {}
            for text in texts:
                self.add(text, place)

    def add(self, text: str, place: str) -> None:
        """Add one text at a place."""
        words, cut = _words_or_text(text)
        own = _occurrences(words)
        self.sizes.setdefault(place, {}).setdefault(len(own), []).append(own)
        self.heads.setdefault(place, {}).setdefault(tuple(words[:2]), []).append((words, cut))

    def place(self, text: str) -> str | None:
        """Return the first place that has a near-copy of the text, or None."""
        words, cut = _words_or_text(text)
        own = _occurrences(words)
        for place, sizes in self.sizes.items():
            for other, other_cut in self.heads[place].get(tuple(words[:2]), ()):
                if (cut and _is_beginning(words, other)) or (
                    other_cut and _is_beginning(other, words)
                ):
                    return place
            for size in sizes:
                # Of n and m words s in common are SHARE of all: s >= SHARE * (n + m - s). No larger
                # difference in size allows it, which spares most comparisons: 1,000 posts beside
                # 20,000 take some 10 s.
                needed = SHARE / (1 + SHARE) * (len(own) + size) - 1e-9
                if needed <= min(len(own), size) and any(
                    len(own & other) >= needed for other in sizes[size]
                ):
                    return place
        return None


def _words_or_text(text: str) -> tuple[list[str], bool]:
    """Return what `plain_words` does, or the normalised text if it has no words."""
    words, cut = plain_words(text)
    return (words, cut) if words else ([normalize_text(text)], False)


def _occurrences(words: Iterable[str]) -> frozenset[tuple[str, int]]:
    """Return the words with a number for the first, second, ... time that each occurs."""
    counts: Counter[str] = Counter()
    found = []
    for word in words:
        counts[word] += 1
        found.append((word, counts[word]))
    return frozenset(found)


def _is_beginning(cut: Sequence[str], whole: Sequence[str]) -> bool:
    """Return whether a text begins with the words of one that is cut off, maybe inside the last."""
    last = len(cut) - 1
    return (
        len(set(cut)) >= MIN_WORDS
        and last < len(whole)
        and list(whole[:last]) == list(cut[:last])
        and whole[last].startswith(cut[last])
    )
