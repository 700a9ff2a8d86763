"""Command lines of the scripts: their spec, the command in their log, and messages for faults."""

import json
import shlex
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

from postgrad.records.files import write_text
from postgrad.runtime.signals import is_rank


class Parser(Protocol):
    """The part of `argparse.ArgumentParser` that the library uses."""

    def add_argument(self, *name_or_flags: str, **settings: Any) -> Any:
        """Add an option."""

    def parse_args(self, args: Sequence[str]) -> Any:
        """Parse the words of a command line."""


def run(main: Callable[[], object]) -> None:
    """Run the function `main` of a script.

    `ValueError` and `FileNotFoundError` are printed as `<verb>: <message>`, and the exit code is 1.
    """
    try:
        main()
    except (ValueError, FileNotFoundError) as fault:
        sys.exit(f"{sys.argv[0].rsplit('/', 1)[-1].removesuffix('.py')}: {fault}")


def add_spec(parser: Parser, content: str) -> None:
    """Add the option `--spec` to a parser.

    Parameters
    ----------
    parser
        The parser of a script.
    content
        What the spec holds, for the help.
    """
    parser.add_argument(
        "--spec", required=True, help=f"{content}, as JSON or as the path of a JSON file"
    )


def add_named_files(parser: Parser, option: str, words: tuple[str, ...], text: str) -> None:
    """Add an option that gives a file a name, and that is repeated for each file.

    `named_files` reads what argparse collects for it.

    Parameters
    ----------
    parser
        The parser of a script.
    option
        The option with its hyphens.
    words
        What the help calls the words of the option; the file is the last.
    text
        The help of the option.
    """
    parser.add_argument(
        option, action="append", nargs=len(words), metavar=words, default=[], help=text
    )


def parse_arguments(parser: Parser, words: Sequence[str] | None = None) -> Any:
    """Parse the command line of a script, write its spec to a file and print the command.

    The spec is written to `spec_path(out)` before the work begins, so that a stage that fails can
    be repeated as well. The command that repeats the stage is printed on one line, quoted for a
    shell, and refers to this file. Ranks write and print nothing.

    Parameters
    ----------
    parser
        The parser, with the options `--spec` (see `add_spec`) and `--out`.
    words
        The words of the command line. Default: those of this process.

    Returns
    -------
    argparse.Namespace
        The options, with the spec as a dictionary.

    Raises
    ------
    ValueError
        If the spec is neither a JSON object nor a file that holds one.
    """
    words = sys.argv[1:] if words is None else list(words)
    options = parser.parse_args(words)
    given_spec, options.spec = options.spec, read_spec(options.spec)
    if not is_rank():
        kept = spec_path(options.out)
        write_text(
            json.dumps(options.spec, sort_keys=True, indent=1, ensure_ascii=False) + "\n", kept
        )
        named = {given_spec: str(kept), f"--spec={given_spec}": f"--spec={kept}"}
        print(
            shlex.join([sys.executable, sys.argv[0], *(named.get(word, word) for word in words)]),
            flush=True,
        )
    return options


def spec_path(out: str | Path) -> Path:
    """Return the file that holds the spec of a result, which is a file or a folder.

    Examples
    --------
    >>> str(spec_path("results/demo/ctyun/label/agreed.parquet"))
    'results/demo/ctyun/label/agreed.parquet.spec.json'
    >>> str(spec_path("results/demo/ctyun/finetune/plain@seed=1"))
    'results/demo/ctyun/finetune/plain@seed=1.spec.json'
    """
    return Path(f"{out}.spec.json")


def read_spec(given: str) -> dict[str, Any]:
    """Return the spec that the option `--spec` gives.

    Parameters
    ----------
    given
        JSON, which begins with a brace, or the path of a JSON file.

    Raises
    ------
    ValueError
        If there is no such file, the text is not JSON, or the JSON is not an object.
    """
    is_json = given.lstrip().startswith("{")
    place = "--spec" if is_json else f"--spec {given}"
    if not is_json and not Path(given).is_file():
        raise ValueError(
            f"{place}: there is no such file; give JSON, which begins with {{, or the path of a "
            "JSON file"
        )
    try:
        spec = json.loads(given if is_json else Path(given).read_text(encoding="utf-8"))
    except json.JSONDecodeError as fault:
        where = f"line {fault.lineno}, column {fault.colno}"
        raise ValueError(
            f"{place} is not valid JSON: {fault.msg} in {where}; quote it for the shell, "
            "or give a file"
        ) from None
    if not isinstance(spec, dict):
        raise ValueError(
            f"{place}: expected a JSON object, which begins with {{, found {type(spec).__name__}"
        )
    return spec


def named_files(
    option: str, given: Iterable[Sequence[str]], names: Iterable[Any] | None = None
) -> dict[Any, str]:
    """Return the files that a repeated option `--option NAME FILE` gives, by their names.

    Parameters
    ----------
    option
        The option with its hyphens, which errors name.
    given
        The words that argparse collects with `action="append"`: for each file one or more words of
        its name, and the file.
    names
        The names that must be given, in the order of the result. A name of several words is a tuple
        of str. Default: all names that are given, in their order.

    Raises
    ------
    ValueError
        If a name is given twice, one of `names` is missing, or a name is not one of them.

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
            raise ValueError(
                f"{option} names {' '.join(words)} twice: {files[name]} and {file}; "
                "give it one file."
            )
        files[name] = file
    if names is None:
        return files
    wanted = dict.fromkeys(names)
    for fault, first, others in (
        ("lacks a file for", wanted, files),
        ("has a file for the unknown", files, wanted),
    ):
        if wrong := [name for name in first if name not in others]:
            shown = " ".join([wrong[0]] if isinstance(wrong[0], str) else wrong[0])
            raise ValueError(
                f"{option} {fault} {shown}; give each name of the spec one file, and no other."
            )
    return {name: files[name] for name in wanted}
