"""Small edits of a post's words that keep its label: misspellings, synonyms, contractions (ALEX,
SMM4H-2023).

All that is not edited stays byte for byte: mentions, hashtags, links, numbers, punctuation, spaces.
An edited word keeps its case, and nearly its length. ALEX's own copies lost their apostrophes and
had other mentions, so that a model could tell a copy, and with it the class of which copies were
made, without reading it.
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
    """a about above after again against all although am an and any are as at be because been before being below
    between both but by can cannot could did do does doing down during each either else ever every few for from
    further had has have having he her here hers herself him himself his how i if in into is it its itself just less
    may me might mine more most much must my myself neither never no nobody none nor not nothing now nowhere of off on
    once only or other our ours ourselves out over own same shall she should since so some such than that the their
    theirs them themselves then there these they this those though through to too under unless until up upon us very
    was we were what when where whether which while who whom whose why will with within without would yet you your
    yours yourself yourselves""".split()
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
    """[(start, end)] of a text's words, those left out that stand in mentions, hashtags, links and
    numbers.
    """
    whole = [match.span() for match in WHOLE.finditer(text)]
    found = [match.span() for match in WORD.finditer(text)]
    return [span for span in found if not any(start <= span[0] < end for start, end in whole)]


def in_case(new: str, old: str) -> str | None:
    """`new` in the case of `old`.

    Lower, upper or a capital in front; None where old is in another (iPhone).
    """
    for case in (str.lower, lambda text: text[:1].upper() + text[1:].lower(), str.upper):
        if case(old) == old:
            return case(new)
    return None


def with_letter(word: str, choices: Mapping[str, Sequence[str]], rng: random.Random) -> str | None:
    """The word with one of its letters a to z exchanged for another of that letter's choices.

    None without any.
    """
    places = [place for place, letter in enumerate(word) if letter.lower() in choices]
    if not places:
        return None
    place = rng.choice(places)
    new = rng.choice(choices[word[place].lower()])
    return word[:place] + (new.upper() if word[place].isupper() else new) + word[place + 1 :]


def contraction(text: str, spans: Sequence[tuple[int, int]], i: int) -> tuple[int, str | None]:
    """(end, new) where the i-th word of a text is a short form, or begins a long one; (end, None)
    elsewhere.

    A pronoun's long form is only shortened before a further word: "yes, we are." has no short form.
    A text without an apostrophe gets none, since its writer may not use any, and the last one
    stays.
    """
    start, end = spans[i]
    signs = [letter for letter in text if letter in "'’"]
    old = text[start:end].replace("’", "'")
    if old.lower() in EXPANDED:
        return end, in_case(EXPANDED[old.lower()], old) if len(signs) > 1 else None
    if old.lower() != "cannot" and i + 1 < len(spans):
        end = spans[i + 1][1]
    long = text[start:end]
    short = in_case(CONTRACTED.get(long.lower(), ""), long)
    if not short or not signs or ("n't" not in short.lower() and not WORD.match(text, end + 1)):
        return end, None
    return end, short.replace("'", signs[0])


def expansions(texts: Iterable[str]) -> float:
    """The share of short forms to write out, so that as many are written out as long ones are
    shortened; 1 at most.

    Posts hold far more short forms than long ones. Were each as likely to be edited, copies would
    lack apostrophes.
    """
    short = long = 0
    for text in texts:
        spans = word_spans(text)
        for i, (start, _) in enumerate(spans):
            end, new = contraction(text, spans, i)
            if new:
                short, long = (short + 1, long) if len(new) > end - start else (short, long + 1)
    return min(1, long / max(1, short))


def edited(
    text: str,
    kinds: Sequence[str],
    rate: float,
    synonyms: Mapping[str, list[str]],
    expand: float,
    rng: random.Random,
    keyword: str | None = None,
) -> str | None:
    """The text with the share `rate` of its words edited, one at least; None where no word can be.

    kinds: some of KINDS. synonyms: {word: [other words]}; those are taken that are one letter
    longer or shorter at most. expand: the share of short forms that may be written out
    (expansions). Words come in a random order, and each gets the first, in a random order, of the
    kinds that change it. Words of one letter, stop words and the keyword's words are left alone,
    but for contractions, which change no word. The number of edits is rate times the number of
    words, rounded up or down at random; two words that are contracted count as one edit.
    """
    spans = word_spans(text)
    wanted = max(1, int(rate * len(spans) + rng.random()))
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
                reach, other = contraction(text, spans, i)
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
                other = in_case(rng.choice(near), word) if near else None
            else:
                other = with_letter(word, NEIGHBOURS if kind == "keyboard" else OTHERS, rng)
            if other:
                new[start] = reach, other
                break
        if len(new) == wanted:
            break
    for start, (end, other) in sorted(new.items(), reverse=True):
        text = text[:start] + other + text[end:]
    return text if new else None
