"""Near-copies among posts: audit finds those that are equal, a language model writes those that are nearly so."""

import re

from postgrad.texts import normalized

SHARE = 0.8  # of the words of two posts; one of ten words exchanged leaves 9 of 11


class Known:
    """Texts that are there already, each at a place such as train, and whether another one nearly copies one."""

    def __init__(self, places):
        """places: {place: texts}, in the order in which they are looked through."""
        self.sizes = {}  # place -> {number of words: sets of so many words}
        for place, texts in places.items():
            self.sizes[place] = {}
            for text in texts:
                self.add(text, place)

    def add(self, text, place):
        found = words(text)
        self.sizes.setdefault(place, {}).setdefault(len(found), []).append(found)

    def place(self, text):
        """The first place with a near-copy of the text, or None: both share at least SHARE of all their words."""
        own = words(text)
        for place, sizes in self.sizes.items():
            for size in sizes:
                # Of n and m words s in common are SHARE of all: s >= SHARE * (n + m - s). No larger difference in size
                # allows it, which spares most comparisons: 1,000 posts beside 20,000 take some 10 s.
                least = SHARE / (1 + SHARE) * (len(own) + size) - 1e-9
                if least <= min(len(own), size) and any(len(own & other) >= least for other in sizes[size]):
                    return place
        return None


def words(text):
    """The words of a text as a set, each once; case, links, mentions and punctuation play no part where words are."""
    plain = normalized(text)
    return frozenset(re.findall(r"\w+", plain)) or frozenset([plain])
