"""Normal forms of texts, in which duplicates are found and which a model may read."""

import re

import pandas as pd

# The first character is a set of its own, and a lookbehind comes after a fixed character, because
# the search for these is several times as fast.
LINK = re.compile(r"[hHwW](?i:(?<=h)ttps?://|(?<=w)ww\.)\S+")
# The same in a text in lower case without "www.". Fixed characters are found faster still.
_FOLDED_LINK = re.compile(r"https?://\S+")
_USER = "@user"
_HANDLE = re.compile(r"@(?<![\w@]@)\w+")
_REDDIT_USER = re.compile(r"u/(?<=\bu/)\w+")


def normalize_text(text: str, link: str = "http") -> str:
    """Return a text in lower case, with one word for every link and one for every mention.

    White space is reduced to single blanks.

    Parameters
    ----------
    text
        The text of a post.
    link
        The word that stands for every link.

    Examples
    --------
    >>> normalize_text("Thanks  @maria, see https://example.org")
    'thanks @user, see http'
    """
    return " ".join(fold_text(text, link).split())


def fold_text(text: str, link: str = "http") -> str:
    """Return what `normalize_text` does, with all white space.

    Examples
    --------
    >>> fold_text("Thanks  @maria, see https://example.org")
    'thanks  @user, see http'
    """
    text = text.casefold()
    slash = "/" in text  # the search for one character is faster than that for several
    if "www." in text:
        text = replace_links(text, link)
    elif slash and "://" in text:
        text = _FOLDED_LINK.sub(link, text)
    if _USER[0] in text:
        text = _HANDLE.sub(_USER, text)
    if slash and "u/" in text:
        text = _REDDIT_USER.sub(_USER, text)
    return text


def replace_links(text: str, word: str = "http") -> str:
    """Return a text with one word for every link.

    Examples
    --------
    >>> replace_links("see www.example.org and https://example.org/a")
    'see http and http'
    """
    return LINK.sub(word, text)


def replace_mentions(text: str) -> str:
    """Return a text with the word @user for every mention of a user of Twitter or Reddit.

    Examples
    --------
    >>> replace_mentions("thanks @maria and u/maria, not me@example.org")
    'thanks @user and @user, not me@example.org'
    """
    return _REDDIT_USER.sub(_USER, _HANDLE.sub(_USER, text))


def convert_texts(frame: pd.DataFrame, form: str | None) -> pd.DataFrame:
    """Return the posts with their texts in the form that a model reads.

    Parameters
    ----------
    frame
        Posts with a column `text`.
    form
        "raw" or None leaves the texts as they are; "normalized" normalises them and takes the links
        out (Bai & Zhou 2020).
    """
    return (
        frame.assign(text=[normalize_text(text, "") for text in frame["text"]])
        if form == "normalized"
        else frame
    )
