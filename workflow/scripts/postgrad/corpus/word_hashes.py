"""The words in which near-duplicates of posts are compared, and the hashes of these words.

The words of one text are strings; those of many texts are only hashes, which numpy computes from
the bytes of all texts at once.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from postgrad.corpus.text_forms import fold_text

HEAD = 4  # so many words at the beginning of a text have a hash of their own
MAX_TEXTS = 1 << 16  # at once
_RETWEET = re.compile(r"\s*(?:rt\s+@user\s*:?\s*)+")
_LINK = re.compile(r"http\b(?<=\bhttp)")  # found faster than with \b at its beginning
_PUNCTUATION = re.compile(r"[^\w\s]+")
# Everything but words outside ASCII. The first character is a set of its own, and a lookbehind
# comes after it, because the search for these is twice as fast.
_WIDE = re.compile(r"[^\x00-\x7f](?<=\W)[^\x00-\x7f\w]*")
_CUT = ("…", "...")
_BEGUN_LINKS = ("h", "ht", "htt", "http", "https")

# Bytes of texts: a word ends at one of these, which UTF-8 has not, or which no word has.
_BLANK, _END = b"\x00", b"\x01"
_BETWEEN = b"\xff"
_ASCII_PUNCTUATION = bytes(code for code in range(128) if _PUNCTUATION.match(chr(code)))
_BLANKS = bytes(code for code in range(128) if chr(code).isspace())
_BYTES = bytes.maketrans(_BLANKS + _BETWEEN, _BLANK * len(_BLANKS) + _END)
_PIECE = 8  # bytes of a word that are hashed at once
_LONG = 64  # bytes; a longer word is hashed by itself
# The first bytes of a number of eight that belong to a word with so many left.
_MASKS = np.array([(1 << 8 * length) - 1 for length in range(_PIECE + 1)], np.uint64)
_ODD, _ODD_2, _ODD_3 = map(np.uint64, (0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93, 0xBF58476D1CE4E5B9))
_POWER = 0x2545F4914F6CDD1D
_HALF = np.uint64(32)
_TEXT_BITS = np.uint64(16)  # of a number that sorts words by text


def plain_words(text: str) -> tuple[list[str], bool]:
    """Return the words of a text in which copies are compared, and whether the text is cut off.

    Examples
    --------
    >>> plain_words("RT @maria: I'm so TIRED of this hea… https://t.co/x")
    (['im', 'so', 'tired', 'of', 'this', 'hea'], True)
    """
    plain, cut = _plain_text(text)
    return _PUNCTUATION.sub("", plain).split(), cut


def _plain_text(text: str) -> tuple[str, bool]:
    """Return a text with its plain words and maybe punctuation of ASCII, and whether it is cut."""
    plain = fold_text(text)
    if "@user" in plain:
        if start := _RETWEET.match(plain):
            plain = plain[start.end() :]
        plain = plain.replace("@user", " ")
    if "http" in plain:
        plain = _LINK.sub(" ", plain)
    cut = text.rstrip().endswith(_CUT) or plain.rstrip().endswith(_CUT)
    if cut:
        words = _PUNCTUATION.sub("", plain).split()
        if words and words[-1] in _BEGUN_LINKS:
            words.pop()
        plain = " ".join(words)
    elif not plain.isascii():
        plain = _WIDE.sub(_blank_or_nothing, plain)
    return plain, cut


def _blank_or_nothing(wide: re.Match[str]) -> str:
    """Return a blank for white space and nothing for punctuation alone."""
    return " " if any(map(str.isspace, wide[0])) else ""


@dataclass(frozen=True)
class HashedTexts:
    """The hashes of the plain words of some texts.

    Attributes
    ----------
    words : ndarray of shape (w,)
        The words of all texts, one text after the other, and sorted within each text. The second,
        third, ... time that a word occurs in a text, it has a hash of its own, so that two texts
        share a word as often as both have it.
    starts : ndarray of shape (n + 1,)
        The position in `words` at which each text begins, and its length.
    different : ndarray of shape (n,)
        The number of different words.
    orders : ndarray of shape (n,)
        A hash of all words in their order.
    heads : ndarray of shape (n,)
        A hash of the first `HEAD` words in their order.
    cut : ndarray of shape (n,)
        Whether the text is cut off.
    """

    words: np.ndarray
    starts: np.ndarray
    different: np.ndarray
    orders: np.ndarray
    heads: np.ndarray
    cut: np.ndarray


def hash_texts(texts: Sequence[str]) -> HashedTexts:
    """Return the hashes of the plain words of at most `MAX_TEXTS` texts."""
    plain = [_plain_text(text) for text in texts]
    data = _BETWEEN.join([text.encode() for text, _ in plain])
    data = _BLANK + data.translate(_BYTES, _ASCII_PUNCTUATION) + _END * bool(plain)
    begins, ends, starts = _word_places(data)
    hashes = _word_hashes(data, begins, ends)

    # The hash of words in their order is a polynomial of their hashes.
    powers, inverse_powers = _powers(len(hashes).bit_length())
    sums = np.zeros(len(hashes) + 1, np.uint64)
    np.cumsum(hashes * powers[: len(hashes)], out=sums[1:])
    first, inverse = sums[starts[:-1]], inverse_powers[starts[:-1]]
    orders = (sums[starts[1:]] - first) * inverse
    heads = (sums[np.minimum(starts[:-1] + HEAD, starts[1:])] - first) * inverse

    words, repeated = sort_words(hashes, starts)
    _number_repeated(words, repeated)
    different = np.diff(starts) - np.diff(np.searchsorted(repeated, starts))
    cut = np.array([cut for _, cut in plain], bool)
    return HashedTexts(words, starts, different, orders, heads, cut)


@lru_cache(maxsize=8)
def _powers(bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the powers of one number and of its inverse."""
    powers = [np.full(1 << bits, base, np.uint64) for base in (_POWER, pow(_POWER, -1, 1 << 64))]
    return powers[0].cumprod(), powers[1].cumprod()


def _word_places(data: bytes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""Return where each word begins and ends in bytes, and at which word each text begins.

    Examples
    --------
    >>> begins, ends, starts = _word_places(b"\0it\0rains\1\1wet\1")
    >>> begins.tolist(), ends.tolist(), starts.tolist()
    ([1, 4, 11], [3, 9, 14], [0, 2, 2, 3])
    """
    codes = np.frombuffer(data, np.uint8)
    in_word = codes > _END[0]
    edges = np.flatnonzero(in_word[1:] != in_word[:-1]) + 1
    begins, ends = edges[::2], edges[1::2]
    text_ends = np.flatnonzero(codes == _END[0])
    return begins, ends, np.concatenate([[0], np.searchsorted(begins, text_ends)])


def _word_hashes(data: bytes, begins: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Return the hash of each word, whose bytes are data[begin:end]."""
    lengths = ends - begins
    numbers = np.ndarray(len(data), "<u8", data + bytes(_PIECE - 1), strides=(1,))
    hashes = numbers[begins] & _MASKS.take(lengths, mode="clip")
    hashes *= _ODD
    hashes ^= hashes >> _HALF
    rest = np.flatnonzero(lengths > _PIECE)
    for done in range(_PIECE, _LONG, _PIECE):
        rest = rest[lengths[rest] > done]
        piece = numbers[begins[rest] + done] & _MASKS.take(lengths[rest] - done, mode="clip")
        mixed = (hashes[rest] + piece) * _ODD_2
        hashes[rest] = mixed ^ mixed >> _HALF
    for place in rest[lengths[rest] > _LONG]:
        word = data[begins[place] : ends[place]]
        hashes[place] = int.from_bytes(hashlib.blake2b(word, digest_size=8).digest())
    hashes *= _ODD_3
    hashes ^= hashes >> _HALF
    return hashes


def sort_words(hashes: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the words of each text sorted, and which of them equal the one before.

    Parameters
    ----------
    hashes
        The hashes of the words of all texts, one text after the other. Their first 48 bits count.
    starts
        (n + 1,) positions in `hashes` at which the texts begin, and its length. There are at most
        `MAX_TEXTS` texts.
    """
    texts = np.arange(len(starts) - 1, dtype=np.uint64) << np.uint64(64) - _TEXT_BITS
    words = np.repeat(texts, np.diff(starts)) | hashes >> _TEXT_BITS
    words.sort()
    repeated = np.flatnonzero(words[1:] == words[:-1]) + 1
    return words << _TEXT_BITS, repeated


def _number_repeated(words: np.ndarray, repeated: np.ndarray) -> None:
    """Change the hashes of words that repeat the one before, by how often they do.

    Examples
    --------
    >>> words = np.array([7, 7, 7, 8, 9, 9], np.uint64)
    >>> _number_repeated(words, np.array([1, 2, 5]))
    >>> len(set(words.tolist()))
    6
    """
    first = np.flatnonzero(np.diff(repeated, prepend=-1) != 1)
    times = np.arange(1, len(repeated) + 1)
    times -= np.repeat(times[first] - 1, np.diff(first, append=len(repeated)))
    words[repeated] += times.astype(np.uint64) * _ODD
