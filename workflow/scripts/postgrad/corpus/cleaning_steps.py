r"""Clean texts by a list of named steps, and count how many texts each step changed.

Each step is a small function of one text. Before it stands a cheap test that is true for every text
that the step could change, so that most steps are skipped for most posts.
"""

import html
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

from postgrad.corpus.text_forms import LINK, replace_links, replace_mentions

# What spreadsheets and data frames write into an empty cell.
NOTHING = {"", "nan", "NaN", "#VALUE!", "#N/A", "#REF!", "#NAME?"}
DEFAULT_STEPS = ("entities", "white_space")
# The Stream-Safe Text Format of Unicode (UAX #15) has at most 30 combining marks in a row. Bringing
# longer runs to NFC takes quadratic time: 11 s for 120,000 marks.
MOST_MARKS = 30
MOST_REMEMBERED = 10_000  # texts

_UNSEEN = "\u200b\u200c\u200d\u2060\ufeff\ufe0f "
# C0 and C1 without white space, a BOM inside the text, and halves of surrogate pairs, which UTF-8
# cannot hold.
_CONTROL = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ufeff\ud800-\udfff]+")
# No combining mark is a letter, a digit, white space or ASCII.
_MANY_MARKS = re.compile(rf"[^\w\s\x00-\x7f]{{{MOST_MARKS + 1}}}")

# An ampersand that was escaped several times. Each form of it is resolved in one pass, because a
# pass for each level would take quadratic time.
_ESCAPED_AMPERSAND = re.compile(r"&(?:amp;?|AMP;?|#0*+38(?![0-9]);?|#[xX]0*+26(?![0-9a-fA-F]);?)++")
# A link has no white space and ends at no bracket or quotation mark, so an entity of white space or
# a last entity of these stands behind it.
_LINK_END = re.compile(
    r"&(?:amp;)*+(?:(?:nbsp|ensp|emsp|#(?:9|10|13|32|160|8203|x0*(?:9|a|d|20|a0|200b)));"
    r"|(?:lt|gt|quot|apos|#34|#39|#x22|#x27);\Z)",
    re.IGNORECASE,
)

# Mojibake has one of five characters, or two adjacent ones of those that ftfy knows.
_MOJIBAKE = "\x80-\u25ff\uf8ff\ufb01\ufb02\ufffd"
_MAYBE_MOJIBAKE = re.compile(rf"[{_MOJIBAKE}](?:(?<=[\x80-\x9fÃÂŒœ])|[{_MOJIBAKE}])")

_MAYBE_HANDLE = re.compile(r"@\w")
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]++@[\w-]++(?:\.[\w-]++)++")
_MAYBE_EMAIL = re.compile(r"@(?<=[\w+-]@)[\w-]")
# +49 170 1234567, (555) 123-4567, 1-555-123-4567, 555.123.4567
_PHONE = re.compile(
    r"(?<![\w.+/=#@-])"
    r"(?:\+[0-9](?:[ .()-]{0,2}[0-9]){7,14}"
    r"|(?:1[ .-])?(?:\([0-9]{3}\) ?|[0-9]{3}[ .-])[0-9]{3}[ .-][0-9]{4})"
    r"(?![\w-]|[.,][0-9])"
)
_MAYBE_PHONE = re.compile(r"[0-9]{3}[ .-][0-9]{4}")
# Runs of emoji and of the characters that join and vary them, in few ranges, because a regular
# expression is slow with many. A run is cut at 1,000 characters, because the package emoji takes
# quadratic time for joined emoji. A keycap begins with a digit, # or *.
_EMOJI = re.compile(
    "[\xa9\xae\u200d\u203c\u2049\u20e3\u2122\u2139\u2190-\u2bff\u3030\u303d\u3297\u3299\ufe0e\ufe0f"
    "\U0001f000-\U0001faff\U000e0020-\U000e007f]{1,1000}"
)
_EMOJI_OR_KEYCAPS = re.compile(rf"(?:[0-9#*](?=\ufe0f?\u20e3))?{_EMOJI.pattern}")
_ELONGATION = re.compile(r"([^\W\d_])\1{3,}")
_HASHTAG = re.compile(r"#(?<![\w&/#]#)([\d_]*+[^\W\d_]\w*)")


@dataclass(frozen=True)
class Step:
    """One step of cleaning.

    Parameters
    ----------
    change
        Returns the changed text.
    may_change
        Returns False only for a text that `change` returns as it is.
    """

    change: Callable[[str], str]
    may_change: Callable[[str], bool]


class Cleaner:
    """Cleans texts by an ordered list of steps, and counts how many texts each step changed.

    Parameters
    ----------
    steps
        Names of `STEPS`, in their order. The step white_space runs last if the list does not name
        it, because a text is stored without control characters and as one line.

    Attributes
    ----------
    changed : dict of str to int
        The number of texts that each step changed.

    Examples
    --------
    >>> cleaner = Cleaner(["entities", "white_space", "case"])
    >>> cleaner.clean("Fever  &amp; chills"), cleaner.clean("Fever")
    ('fever & chills', 'fever')
    >>> cleaner.changed
    {'entities': 1, 'white_space': 1, 'case': 2}
    """

    def __init__(self, steps: Sequence[str] = DEFAULT_STEPS):
        names = [*steps, *(["white_space"] if "white_space" not in steps else [])]
        self.changed = dict.fromkeys(names, 0)
        self._steps = [(name, STEPS[name].may_change, STEPS[name].change) for name in names]
        # Text -> clean text, and the steps that changed it.
        self._known: dict[str, tuple[str, list[str]]] = {}

    def clean(self, text: str | None) -> str:
        """Return the text in the form in which it is stored.

        A text without a visible character becomes the empty string.
        """
        if not text:
            return ""
        if (known := self._known.get(text)) is None:
            known = self._clean_new(text)
            if len(self._known) >= MOST_REMEMBERED:
                self._known.clear()
            self._known[text] = known
        for name in known[1]:
            self.changed[name] += 1
        return known[0]

    def _clean_new(self, text: str) -> tuple[str, list[str]]:
        changing = []
        for name, may_change, change in self._steps:
            if may_change(text) and (after := change(text)) != text:
                changing.append(name)
                text = after
        return text, changing


def clean_text(text: str | None) -> str:
    r"""Return the text of a post, cleaned by the default steps.

    HTML entities are resolved, the text is brought to NFC, control characters are removed, and
    white space is reduced to single blanks. Mentions, links, emoji and case stay as they are. A
    text without a visible character becomes the empty string.

    Examples
    --------
    >>> clean_text("  fever &amp; chills\n")
    'fever & chills'
    """
    return reduce_white_space(resolve_entities(text or ""))


def fix_mojibake(text: str) -> str:
    """Return a text with repaired characters where UTF-8 was read in another encoding.

    Quotation marks, ligatures, widths and all else that the package ftfy can change stay as they
    are.

    Examples
    --------
    >>> fix_mojibake("the doctorâ€™s cafÃ©")
    'the doctor’s café'
    """
    return _encoding_fixer()(text)


def resolve_entities(text: str) -> str:
    """Return a text with its HTML entities resolved, also those that were escaped several times.

    Links stay as they are, because `&copy` in a link is the name of a parameter.

    Examples
    --------
    >>> resolve_entities("1 &amp;lt; 2, see https://example.org/?a=1&copy=2")
    '1 < 2, see https://example.org/?a=1&copy=2'
    """
    while (resolved := _resolve_outside_links(text)) != text:
        text = resolved
    return text


def reduce_white_space(text: str) -> str:
    r"""Return a text in NFC, without control characters, and with single blanks as white space.

    A text without a visible character, and what a spreadsheet writes into an empty cell, become the
    empty string. Of a run of combining marks, the first 30 are kept.

    Examples
    --------
    >>> reduce_white_space(" fever\r\n and\x00 chills "), reduce_white_space("\u200b")
    ('fever and chills', '')
    """
    if not text.isascii():
        text = unicodedata.normalize("NFC", limit_marks(text))
    reduced = " ".join(text.split())
    if not reduced.isprintable():
        reduced = " ".join(_CONTROL.sub("", text).split())
    return reduced if reduced.strip(_UNSEEN) and reduced not in NOTHING else ""


def limit_marks(text: str) -> str:
    r"""Return a text with at most the first 30 of the combining marks in each run of them.

    Examples
    --------
    >>> len(limit_marks("a" + "\u0301" * 100))
    31
    """
    return _mark_runs().sub(r"\1", text) if _MANY_MARKS.search(text) else text


def replace_emails(text: str) -> str:
    """Return a text with the word email for every e-mail address.

    Examples
    --------
    >>> replace_emails("write to jo.smith@example.org.")
    'write to email.'
    """
    return _EMAIL.sub("email", text)


def replace_phone_numbers(text: str) -> str:
    """Return a text with the word phone for every telephone number.

    A number counts if it begins with + and has 8 to 15 digits, or if it is written in the North
    American form of three, three and four digits.

    Examples
    --------
    >>> replace_phone_numbers("call (555) 123-4567 or +49 170 1234567 by 2020-12-24")
    'call phone or phone by 2020-12-24'
    """
    return _PHONE.sub("phone", text)


def name_emoji(text: str) -> str:
    """Return a text with the English name of every emoji between colons.

    Examples
    --------
    >>> name_emoji("so tired 😴")
    'so tired :sleeping_face:'
    """
    runs = _EMOJI_OR_KEYCAPS if "\u20e3" in text else _EMOJI
    return runs.sub(lambda match: _emoji_names(match[0]), text)


def shorten_elongation(text: str) -> str:
    """Return a text in which no letter stands more than three times in a row.

    Examples
    --------
    >>> shorten_elongation("soooooo good")
    'sooo good'
    """
    return _ELONGATION.sub(r"\1\1\1", text)


def split_hashtags(text: str) -> str:
    """Return a text with hashtags as words, which begin at capitals and after underscores.

    Examples
    --------
    >>> split_hashtags("#LongCovid and #COVIDVaccine, my #1 fear")
    'Long Covid and COVID Vaccine, my #1 fear'
    """
    return _HASHTAG.sub(lambda match: _words_of_hashtag(match[1]), text)


def _words_of_hashtag(tag: str) -> str:
    words = []
    for part in tag.split("_"):
        start = 0
        for i in range(1, len(part)):
            if part[i].isupper() and (
                not part[i - 1].isupper() or (i + 1 < len(part) and part[i + 1].islower())
            ):
                words.append(part[start:i])
                start = i
        words.append(part[start:])
    return " ".join(filter(None, words))


def _resolve_outside_links(text: str) -> str:
    if "://" not in text and "www." not in text.lower():
        return _resolve_once(text)
    parts, end = [], 0
    for match in LINK.finditer(text):
        parts.append(_resolve_once(text[end : match.start()]))
        behind = _LINK_END.search(text, match.start(), match.end())
        end = behind.start() if behind else match.end()
        parts.append(text[match.start() : end])
    return "".join([*parts, _resolve_once(text[end:])])


def _resolve_once(text: str) -> str:
    return html.unescape(_ESCAPED_AMPERSAND.sub("&", text))


@cache
def _encoding_fixer() -> Callable[[str], str]:
    import ftfy  # Its import takes 0.1 s, which the default steps do not need.

    options = ftfy.TextFixerConfig(
        unescape_html=False,
        remove_terminal_escapes=False,
        fix_c1_controls=False,
        fix_latin_ligatures=False,
        fix_character_width=False,
        uncurl_quotes=False,
        fix_line_breaks=False,
        fix_surrogates=False,
        remove_control_chars=False,
        normalization=None,
        explain=False,
    )
    return lambda text: ftfy.fix_text(text, options)


@cache
def _mark_runs() -> re.Pattern[str]:
    """Return the pattern of runs of more than 30 combining marks; its group has the first 30."""
    marks = "".join(chr(code) for code in range(0x110000) if unicodedata.combining(chr(code)))
    return re.compile(f"([{marks}]{{{MOST_MARKS}}})[{marks}]+")


@lru_cache(maxsize=1_000)
def _emoji_names(run: str) -> str:
    import emoji

    return emoji.demojize(run)


def _has_letters_in_a_row(text: str) -> bool:
    """Return whether a character may stand four times in a row.

    The text is one large number. It is compared with itself one character further, which takes a
    tenth of the time of a regular expression.
    """
    width = 1 if text.isascii() else 4
    number = int.from_bytes(text.encode("ascii" if width == 1 else "utf-32-le", "surrogatepass"))
    differences = (number ^ number >> 8 * width).to_bytes(width * len(text))
    return bytes(3 * width) in differences


STEPS = {
    "mojibake": Step(
        fix_mojibake, lambda text: not text.isascii() and bool(_MAYBE_MOJIBAKE.search(text))
    ),
    "entities": Step(resolve_entities, lambda text: "&" in text),
    "white_space": Step(
        reduce_white_space,
        lambda text: (
            not (text.isascii() and text.isprintable())
            or "  " in text
            or text[:1] == " "
            or text[-1:] == " "
            or text in NOTHING
        ),
    ),
    "mentions": Step(
        replace_mentions, lambda text: "u/" in text or bool(_MAYBE_HANDLE.search(text))
    ),
    "links": Step(replace_links, lambda text: "://" in text or "www." in text.lower()),
    "emails": Step(replace_emails, lambda text: bool(_MAYBE_EMAIL.search(text))),
    "phone_numbers": Step(
        replace_phone_numbers, lambda text: "+" in text or bool(_MAYBE_PHONE.search(text))
    ),
    "emoji": Step(name_emoji, lambda text: not text.isascii() and bool(_EMOJI.search(text))),
    "elongation": Step(shorten_elongation, _has_letters_in_a_row),
    "case": Step(str.lower, lambda text: not text.islower()),
    "hashtags": Step(split_hashtags, lambda text: "#" in text),
}
