"""Normal forms of texts, in which duplicates are found and which a model may read."""

import re

import pandas as pd

_LINK = re.compile(r"https?://\S+|www\.\S+")
_MENTION = re.compile(r"(?<![\w@])@\w+|\bu/\w+")
_SPACE = re.compile(r"\s+")


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
    text = _MENTION.sub("@user", _LINK.sub(link, text.casefold()))
    return _SPACE.sub(" ", text).strip()


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
