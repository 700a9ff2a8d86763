"""Compare the cleaning of posts with a plain chain of the same steps, and print no post.

PYTHONPATH=workflow/scripts python bench/cleaning.py ../shared/data

The plain chain runs every step on every text: without tests before the steps, without memory.
"""

import argparse
import html
import re
import time
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

import emoji
import ftfy

from postgrad.corpus.cleaning_steps import DEFAULT_STEPS, NOTHING, STEPS, Cleaner
from postgrad.corpus.readers import read_raw_rows

CORPORA = {
    "caves": ("caves/*.csv", ("text",)),
    "stress": ("stress/*.xlsx", ("text", "title", "Body_Title", "body")),
    "reddit-pool": ("reddit-pool/*.csv", ("title", "selftext")),
}
TWEETEVAL = "tweeteval/datasets/**/*_text.txt"
# Addresses before mentions, hashtags before lower case: the order that keeps the most.
ALL_STEPS = (
    *("mojibake", "entities", "white_space", "links", "emails", "mentions", "phone_numbers"),
    *("emoji", "hashtags", "elongation", "case"),
)
LINK = re.compile(r"https?://\S+|www\.\S+", re.IGNORECASE)
# An entity of white space ends a link, and so does one last entity of a bracket or a quotation
# mark.
LINK_END = re.compile(
    r"&(amp;)*((nbsp|ensp|emsp|#(9|10|13|32|160|8203|x0*(9|a|d|20|a0|200b)));"
    r"|(lt|gt|quot|apos|#34|#39|#x22|#x27);$)",
    re.IGNORECASE,
)
ENCODING_ONLY = ftfy.TextFixerConfig(
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
CONTROL = dict.fromkeys(
    code
    for code in [*range(0x20), *range(0x7F, 0xA0), 0xFEFF, *range(0xD800, 0xE000)]
    if not chr(code).isspace()
)
UNSEEN = "\u200b\u200c\u200d\u2060\ufeff\ufe0f "


def entities(text: str) -> str:
    """Resolve entities outside links until nothing changes."""
    while True:
        parts, end = [], 0
        for match in LINK.finditer(text):
            found = LINK_END.search(match[0])
            parts += [html.unescape(text[end : match.start()])]
            end = match.start() + (found.start() if found else len(match[0]))
            parts += [text[match.start() : end]]
        resolved = "".join([*parts, html.unescape(text[end:])])
        if resolved == text:
            return text
        text = resolved


def white_space(text: str) -> str:
    """Clean a text as it was done before the steps had names."""
    text = unicodedata.normalize("NFC", text)
    text = re.sub(r"\s+", " ", text.translate(CONTROL)).strip()
    return text if text.strip(UNSEEN) and text not in NOTHING else ""


def hashtags(text: str) -> str:
    """Write hashtags as words."""
    capitals = r"(?<=[^\W_])(?=[A-Z])(?<![A-Z])|(?<=[A-Z])(?=[A-Z][a-z])"
    return re.sub(
        r"(?<![\w&/#])#([\d_]*[^\W\d_]\w*)",
        lambda match: " ".join(re.sub(capitals, " ", match[1]).replace("_", " ").split()),
        text,
    )


PHONE = (
    r"(?<![\w.+/=#@-])(\+[0-9]([ .()-]{0,2}[0-9]){7,14}"
    r"|(1[ .-])?(\([0-9]{3}\) ?|[0-9]{3}[ .-])[0-9]{3}[ .-][0-9]{4})(?![\w-]|[.,][0-9])"
)
PLAIN: dict[str, Callable[[str], str]] = {
    "mojibake": lambda text: ftfy.fix_text(text, ENCODING_ONLY),
    "entities": entities,
    "white_space": white_space,
    "links": lambda text: LINK.sub("http", text),
    "emails": lambda text: re.sub(r"[\w.+-]+@[\w-]+(\.[\w-]+)+", "email", text),
    "mentions": lambda text: re.sub(r"(?<![\w@])@\w+|\bu/\w+", "@user", text),
    "phone_numbers": lambda text: re.sub(PHONE, "phone", text),
    "emoji": emoji.demojize,
    "hashtags": hashtags,
    "elongation": lambda text: re.sub(r"([^\W\d_])\1{3,}", r"\1\1\1", text),
    "case": str.lower,
}


def read_texts(data: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield the name and the raw texts of each corpus."""
    for name, (pattern, columns) in CORPORA.items():
        texts = []
        for path in sorted(data.glob(pattern)):
            _, rows = read_raw_rows(path, path.name)
            texts += [row[column] for _, row in rows for column in columns if row.get(column)]
        yield name, texts
    files = sorted(data.glob(TWEETEVAL))
    yield "tweeteval", [line for file in files for line in file.read_text().split("\n") if line]


def cpu_seconds(clean: Callable[[str], str], texts: list[str]) -> tuple[float, list[str]]:
    """Return the time of the CPU and the clean texts."""
    start = time.process_time()
    cleaned = [clean(text) for text in texts]
    return time.process_time() - start, cleaned


def main() -> None:
    """Print, for each corpus and list of steps, the ratio of times and the share of equal rows."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path, help="folder of the public posts")
    parser.add_argument("--each", action="store_true", help="compare also each step by itself")
    args = parser.parse_args()

    lists = {"all steps": ALL_STEPS, "default": DEFAULT_STEPS}
    if args.each:
        lists |= {name: (name,) for name in STEPS}
    corpora = list(read_texts(args.data))
    Cleaner(ALL_STEPS).clean("warm\u00a0up 😀 1\ufe0f\u20e3 Ã©")
    PLAIN["emoji"]("😀")
    for title, steps in lists.items():
        sums = [0.0, 0.0, 0, 0]
        for name, texts in corpora:

            def plain(text: str, steps: tuple[str, ...] = steps) -> str:
                for step in steps:
                    text = PLAIN[step](text)
                return text if "white_space" in steps else PLAIN["white_space"](text)

            slow, expected = cpu_seconds(plain, texts)
            fast, found = cpu_seconds(Cleaner(steps).clean, texts)
            equal = sum(a == b for a, b in zip(expected, found, strict=True))
            figures = (slow, fast, equal, len(texts))
            sums = [a + b for a, b in zip(sums, figures, strict=True)]
            print_line(title, name, *figures)
        print_line(title, "together", *sums)


def print_line(title: str, name: str, slow: float, fast: float, equal: int, count: int) -> None:
    """Print the figures of one corpus."""
    print(
        f"{title:13} {name:11} {count:6} texts  plain {slow:7.2f} s  steps {fast:6.2f} s  "
        f"ratio {slow / fast:5.1f}  equal {equal / count:.4%}"
    )


if __name__ == "__main__":
    main()
