"""What every command line shares: a user's fault ends in one sentence, ours in a traceback."""

import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any


def run(main: Callable[[], object]) -> None:
    """Run a script's `main()`. ValueError and FileNotFoundError become `<verb>: <sentence>` and exit code 1."""
    try:
        main()
    except (ValueError, FileNotFoundError) as fault:
        sys.exit(f"{sys.argv[0].rsplit('/', 1)[-1].removesuffix('.py')}: {fault}")


def named_files(option: str, given: Iterable[Sequence[str]], names: Iterable[Any] | None = None) -> dict[Any, str]:
    """The files of `--option NAME FILE`, an option that is given once for each file, as {name: file}.

    Parameters
    ----------
    option
        The option with its hyphens, for the sentences.
    given
        As argparse collects them under `action="append"`: the name, of one word or several, and the file.
    names
        The names that must be given, in the order of the result: str, or tuples of str where a name has several
        words. Default: whichever are given.

    Raises
    ------
    ValueError
        A name is given twice, one of `names` is missing, or a name is none of them.

    Examples
    --------
    >>> named_files("--gold", [["plain", "ages/dev", "a.parquet"]])
    {('plain', 'ages/dev'): 'a.parquet'}
    >>> named_files("--train", [["sex", "b.parquet"], ["ages", "a.parquet"]], ["ages", "sex"])
    {'ages': 'a.parquet', 'sex': 'b.parquet'}
    """
    files: dict[Any, str] = {}
    for *words, file in given:
        name: Any = words[0] if len(words) == 1 else tuple(words)
        if name in files:
            raise ValueError(f"{option} names {' '.join(words)} twice: {files[name]} and {file}; give it one file.")
        files[name] = file
    if names is None:
        return files
    wanted = dict.fromkeys(names)
    for fault, first, others in (("lacks a file for", wanted, files), ("has a file for the unknown", files, wanted)):
        if wrong := [name for name in first if name not in others]:
            told = " ".join([wrong[0]] if isinstance(wrong[0], str) else wrong[0])
            raise ValueError(f"{option} {fault} {told}; give each name of the spec one file, and no other.")
    return {name: files[name] for name in wanted}
