"""Open raw files: find out how a file is compressed, in which format and in which encoding it is.

What is found in the content of a file counts more than the ending of its name.
"""

import codecs
import gzip
import zipfile
import zlib
from pathlib import Path
from typing import IO, cast

from backports import zstd

GZIP, ZSTD, ZIP = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PK\x03\x04"
COMPRESSED = (".gz", ".zst", ".zip")
# The endings of names that tell a format. A file with another ending is told by its content.
FORMATS = {
    ".csv": "table",
    ".tsv": "table",
    ".tab": "table",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".parquet": "parquet",
    ".xlsx": "workbook",
    ".xlsm": "workbook",
    ".xls": "workbook",
    ".ods": "workbook",
    ".txt": "lines",
}
BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
HEAD = 4096  # bytes that are looked at
BLOCK = 1 << 20
# What is wrong while a compressed file is read; a damaged file of any kind gives one of these.
DAMAGED = (OSError, EOFError, zlib.error, zipfile.BadZipFile, zstd.ZstdError)
ENCRYPTED = 1  # a bit of the flags of a member of a zip
LONGEST_WINDOW: dict[int, int] = {zstd.DecompressionParameter.window_log_max: 31}  # 2 GiB


def open_bytes(path: Path | str, name: str) -> IO[bytes]:
    """Open a file for reading bytes, decompressed if it is gzip, zstd or a zip with one file.

    A zstd stream may have a window of up to 2 GiB, as dumps of Reddit have. A workbook, which is a
    zip as well, is opened as it is.

    Parameters
    ----------
    path
        The file.
    name
        Its name, for messages.

    Raises
    ------
    ValueError
        If a zip is encrypted, or if it contains several files or none.
    """
    file = open(path, "rb")  # noqa: SIM115
    magic = file.read(4)
    file.seek(0)
    if magic.startswith(GZIP):
        return cast(IO[bytes], gzip.GzipFile(fileobj=file))
    if magic == ZSTD:
        return cast(IO[bytes], zstd.ZstdFile(file, options=LONGEST_WINDOW))
    if magic == ZIP and not name.lower().endswith((".xlsx", ".xlsm", ".ods")):
        with file:
            archive = zipfile.ZipFile(path)
            members = [member for member in archive.infolist() if not is_hidden(member.filename)]
        names = {member.filename for member in members}
        if "[Content_Types].xml" in names or "mimetype" in names:
            return open(path, "rb")
        if len(members) == 1 and not members[0].flag_bits & ENCRYPTED:
            return zipfile.ZipFile(path).open(members[0])
        archive.close()
        found = "is encrypted" if len(members) == 1 else f"holds {len(members)} files"
        raise ValueError(f"{name}: the archive {found}; unpack it, and name the files.")
    return file


def is_hidden(member: str) -> bool:
    """Return whether a member of a zip is a folder or what an operating system adds.

    Examples
    --------
    >>> is_hidden("__MACOSX/._posts.csv"), is_hidden("data/"), is_hidden("posts.csv")
    (True, True, False)
    """
    return member.endswith("/") or member.startswith("__MACOSX/") or "/." in f"/{member}"


def uncompressed_name(name: str) -> str:
    """Return a name in lower case without the endings of compressed files.

    Examples
    --------
    >>> uncompressed_name("Pool/RC_2023-01.JSONL.zst")
    'pool/rc_2023-01.jsonl'
    """
    name = name.lower()
    while name.endswith(COMPRESSED):
        name = name.rpartition(".")[0]
    return name


def file_format(name: str, head: bytes) -> str:
    """Return the format of a file: table, json, parquet, workbook or lines.

    Parameters
    ----------
    name
        The name of the file.
    head
        The first bytes of its content, decompressed.

    Examples
    --------
    >>> file_format("posts", b'{"id": 1}'), file_format("posts.csv", b"id,text")
    ('json', 'table')
    """
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith((ZIP, b"\xd0\xcf\x11\xe0")):
        return "workbook"
    found = FORMATS.get(Path(uncompressed_name(name)).suffix)
    if found in ("parquet", "workbook"):
        return found
    text = head.replace(b"\x00", b"").removeprefix(codecs.BOM_UTF8).lstrip(b"\xff\xfe \t\r\n")
    if found is None or found == "json":
        return "json" if found or text.startswith((b"{", b"[")) else "table"
    return found


def find_encoding(path: Path | str, name: str, declared: str | None) -> tuple[str, str | None]:
    """Return the encoding of a text file, and a sentence on what was assumed, or None.

    A byte order mark decides. Without it, a declared encoding holds. If none is declared, the
    encoding is UTF-16 if every other byte is zero, UTF-8 if the whole file is valid UTF-8, else
    cp1252, or latin-1 if the file has bytes that cp1252 does not have.

    Parameters
    ----------
    path
        The file.
    name
        Its name, for messages.
    declared
        The encoding that the task file gives, or None.

    Raises
    ------
    ValueError
        If the declared encoding does not encode text, or if a file that is partly UTF-8 has bytes
        that are not.
    """
    with open_bytes(path, name) as file:
        head = file.read(HEAD)
    for mark, encoding in BOMS:
        if head.startswith(mark):
            return encoding, None
    if declared is not None:
        check_text_encoding(declared, name)
        return declared, None
    if head and head[1::2].count(0) > len(head) // 3:
        return "utf-16-le", "read as UTF-16, since every other byte is zero"
    if head and head[::2].count(0) > len(head) // 3:
        return "utf-16-be", "read as UTF-16, since every other byte is zero"
    line, has_multibyte = first_invalid_line(path, name)
    if line is None:
        return "utf-8", None
    if has_multibyte:
        raise ValueError(
            f"{name}, line {line}: not valid utf-8, though other lines are; correct the line, or "
            "name the file's encoding under `encoding` in the task file."
        )
    found = "cp1252"
    decoder = codecs.getincrementaldecoder(found)()
    with open_bytes(path, name) as file:
        try:
            while block := file.read(BLOCK):
                decoder.decode(block)
        except UnicodeDecodeError:
            found = "latin-1"
    return found, f"read as {found}, since line {line} is not valid UTF-8"


def first_invalid_line(path: Path | str, name: str) -> tuple[int | None, bool]:
    """Return the first line that is not UTF-8, or None, and whether others have UTF-8 sequences."""
    invalid, has_multibyte = None, False
    with open_bytes(path, name) as file:
        for line, content in enumerate(file, 1):
            if content.isascii():
                continue
            try:
                content.decode("utf-8")
                has_multibyte = True
            except UnicodeDecodeError:
                invalid = invalid or line
            if invalid and has_multibyte:
                break
    return invalid, has_multibyte


def check_text_encoding(encoding: str, name: str) -> None:
    """Raise `ValueError` if a codec, such as rot13 or zlib, does not turn bytes into text."""
    info = codecs.lookup(encoding)
    if not getattr(info, "_is_text_encoding", True):
        raise ValueError(
            f"{name}: {encoding} is not an encoding of text; name utf-8, or the file's encoding, "
            "under `encoding` in the task file."
        )
