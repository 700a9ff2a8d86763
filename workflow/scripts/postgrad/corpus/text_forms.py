"""Texts with what tells nothing set aside.

As duplicates share them, and as a model may read them.
"""

import re

import pandas as pd

_LINK = re.compile(r"https?://\S+|www\.\S+")
_MENTION = re.compile(r"(?<![\w@])@\w+|\bu/\w+")
_SPACE = re.compile(r"\s+")


def normalized(text: str, link: str = "http") -> str:
    """Case folded, `link` for every link, @user for every mention, white space as one blank."""
    text = _MENTION.sub("@user", _LINK.sub(link, text.casefold()))
    return _SPACE.sub(" ", text).strip()


def as_read(frame: pd.DataFrame, form: str | None) -> pd.DataFrame:
    """The posts with the texts that a model reads.

    form: raw; or normalized, links left out (Bai & Zhou 2020).
    """
    return (
        frame.assign(text=[normalized(text, "") for text in frame["text"]])
        if form == "normalized"
        else frame
    )
