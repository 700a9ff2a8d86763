"""Edit a few words of a post so that its label stays (ALEX, SMM4H-2023).

The edits are misspellings, synonyms and contractions. All that is not edited keeps its bytes:
mentions, hashtags, links, numbers, punctuation and spaces. An edited word keeps its case, and
nearly its length. ALEX's own copies lost their apostrophes and had other mentions, so that a model
could recognise a copy, and with it the class of which copies were made, without reading it.
"""

import math
import random
import re
from collections.abc import Iterable, Mapping, Sequence

KINDS = ("character", "keyboard", "synonym", "contraction")
WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
WHOLE = re.compile(
    r"\S*(?:[@#\d_]|://|www\.|\w\.\w)\S*", re.I
)  # mentions, hashtags, links, mail addresses, numbers
# Where the letters stand on a QWERTY keyboard, in keys: each row a little to the right of the one
# above.
KEYS = {
    letter: (column + shift, row)
    for row, (shift, letters) in enumerate(
        [(0, "qwertyuiop"), (0.25, "asdfghjkl"), (0.75, "zxcvbnm")]
    )
    for column, letter in enumerate(letters)
}
NEIGHBOURS = {a: [b for b in KEYS if a != b and math.dist(KEYS[a], KEYS[b]) < 1.3] for a in KEYS}
OTHERS = {a: [b for b in KEYS if a != b] for a in KEYS}
# Words that carry grammar, or turn a meaning round; the pronouns' and auxiliaries' short forms are
# below.
STOP_WORDS = set(
    """a about above after again against all although am an and any are as at be because been
    before being below between both but by can cannot could did do does doing down during each
    either else ever every few for from further had has have having he her here hers herself
    him himself his how i if in into is it its itself just less may me might mine more most
    much must my myself neither never no nobody none nor not nothing now nowhere of off on
    once only or other our ours ourselves out over own same shall she should since so some
    such than that the their theirs them themselves then there these they this those though
    through to too under unless until up upon us very was we were what when where whether
    which while who whom whose why will with within without would yet you your yours yourself
    yourselves""".split()
)
# Short forms with one long form each, so that both ways are open; 's and 'd have several, and 've
# none that fits before every noun.
EXPANDED = (
    {
        f"{verb}n't": f"{verb} not"
        for verb in "do does did is are was were has have had could would should".split()
    }
    | {"can't": "cannot", "won't": "will not", "i'm": "i am"}
    | {f"{who}'re": f"{who} are" for who in ("you", "we", "they")}
    | {f"{who}'ll": f"{who} will" for who in ("i", "you", "he", "she", "it", "we", "they")}
)
CONTRACTED = {long: short for short, long in EXPANDED.items()}


def word_spans(text: str) -> list[tuple[int, int]]:
    """Return (start, end) of each word of a text.

    Words inside mentions, hashtags, links and numbers are left out.

    Examples
    --------
    >>> word_spans("So wet @home")
    [(0, 2), (3, 6)]
    """
    whole = [match.span() for match in WHOLE.finditer(text)]
    spans = [match.span() for match in WORD.finditer(text)]
    return [span for span in spans if not any(start <= span[0] < end for start, end in whole)]


def match_case(new: str, old: str) -> str | None:
    """Return `new` in the case of `old`: lower, upper, or with a first capital.

    None if `old` is in another case.

    Examples
    --------
    >>> match_case("damp", "Wet"), match_case("damp", "iPhone")
    ('Damp', None)
    """
    for case in (str.lower, lambda text: text[:1].upper() + text[1:].lower(), str.upper):
        if case(old) == old:
            return case(new)
    return None


def replace_letter(
    word: str, choices: Mapping[str, Sequence[str]], rng: random.Random
) -> str | None:
    """Return a word with one of its letters replaced by one of that letter's choices.

    None if no letter has choices.
    """
    places = [place for place, letter in enumerate(word) if letter.lower() in choices]
    if not places:
        return None
    place = rng.choice(places)
    new = rng.choice(choices[word[place].lower()])
    return word[:place] + (new.upper() if word[place].isupper() else new) + word[place + 1 :]


def contracted_form(text: str, spans: Sequence[tuple[int, int]], i: int) -> tuple[int, str | None]:
    """Return the contracted or expanded form at the i-th word of a text, and where it ends.

    The form is None if the word is neither a short form nor the begin of a long one. The long form
    of a pronoun is shortened only before another word: "yes, we are." has no short form. A text
    without an apostrophe gets none, since its writer may not use any, and the last apostrophe
    stays.

    Parameters
    ----------
    text
        A text.
    spans
        Its words, as `word_spans` returns them.
    i
        The position of a word in `spans`.

    Returns
    -------
    end : int
        Where the replaced text ends.
    new : str or None
        What replaces it.
    """
    start, end = spans[i]
    signs = [letter for letter in text if letter in "'’"]
    old = text[start:end].replace("’", "'")
    if old.lower() in EXPANDED:
        return end, match_case(EXPANDED[old.lower()], old) if len(signs) > 1 else None
    if old.lower() != "cannot" and i + 1 < len(spans):
        end = spans[i + 1][1]
    long = text[start:end]
    short = match_case(CONTRACTED.get(long.lower(), ""), long)
    if not short or not signs or ("n't" not in short.lower() and not WORD.match(text, end + 1)):
        return end, None
    return end, short.replace("'", signs[0])


def expansion_share(texts: Iterable[str]) -> float:
    """Return the share of short forms that may be written out, at most 1.

    With this share, as many short forms are written out as long ones are shortened. Posts have far
    more short forms than long ones: if each were edited as often, copies would lack apostrophes.
    """
    short = long = 0
    for text in texts:
        spans = word_spans(text)
        for i, (start, _) in enumerate(spans):
            end, new = contracted_form(text, spans, i)
            if new:
                short, long = (short + 1, long) if len(new) > end - start else (short, long + 1)
    return min(1, long / max(1, short))


def edit_text(
    text: str,
    kinds: Sequence[str],
    rate: float,
    synonyms: Mapping[str, list[str]],
    expand: float,
    rng: random.Random,
    keyword: str | None = None,
) -> str | None:
    """Return a text with some of its words edited, or None if no word can be.

    The number of edits is `rate` times the number of words, rounded up or down at random, and at
    least one; two words that are contracted count as one edit. Words come in a random order, and
    each gets the first kind, in a random order of kinds, that changes it. Words of one letter, stop
    words and the words of the keyword are edited by contractions only, which change no word.

    Parameters
    ----------
    text
        A text.
    kinds
        Some of KINDS.
    rate
        The share of the words that is edited.
    synonyms
        Other words for a word; those are used whose length differs by at most one letter.
    expand
        The share of short forms that may be written out, see `expansion_share`.
    rng
        The source of random choices.
    keyword
        What the label of the post is about.
    """
    spans = word_spans(text)
    edit_count = max(1, int(rate * len(spans) + rng.random()))
    kept = STOP_WORDS | EXPANDED.keys() | set(WORD.findall((keyword or "").lower()))
    new: dict[
        int, tuple[int, str]
    ] = {}  # where an edited word starts: (its end, what stands there now)
    for i in rng.sample(range(len(spans)), len(spans)):
        start, end = spans[i]
        word, taken = (
            text[start:end],
            [place for begun, (ended, _) in new.items() for place in (begun, ended - 1)],
        )
        if start in taken or end - 1 in taken:
            continue
        for kind in rng.sample(kinds, len(kinds)):
            reach, other = end, None
            if kind == "contraction":
                reach, other = contracted_form(text, spans, i)
                if other and (
                    reach - 1 in taken or len(other) > reach - start and rng.random() >= expand
                ):
                    other = None
            elif len(word) == 1 or word.replace("’", "'").lower() in kept:
                continue
            elif kind == "synonym":
                near = [
                    one for one in synonyms.get(word.lower(), []) if abs(len(one) - len(word)) <= 1
                ]
                other = match_case(rng.choice(near), word) if near else None
            else:
                other = replace_letter(word, NEIGHBOURS if kind == "keyboard" else OTHERS, rng)
            if other:
                new[start] = reach, other
                break
        if len(new) == edit_count:
            break
    for start, (end, other) in sorted(new.items(), reverse=True):
        text = text[:start] + other + text[end:]
    return text if new else None
