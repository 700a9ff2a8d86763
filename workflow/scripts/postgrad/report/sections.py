"""The sections of a report, each of which shows the results of one verb.

A section is the variable `SECTION` of a module of this package. Its template report.<verb>.j2
reads the entries as `entries`. To remove a verb from the report, delete its module and its
template.
"""

import pkgutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from postgrad import report
from postgrad.records.json_files import read_json
from postgrad.runtime.cli import named_files

Entries = list[dict[str, Any]]
# The columns of teachers.csv.
TEACHERS = (
    "recipe",
    "node",
    "keep",
    "dataset",
    "measure",
    "teacher",
    "class",
    "value",
    "posts",
)
# (recipe, id of a node) -> the signs behind its name in scores.txt.
Signs = Callable[[str, str], str]


def no_blocks(entries: Entries, signs: Signs) -> list[list[str]]:
    """Return no block, for a section that is not shown in scores.txt."""
    return []


def no_rows(entries: Entries) -> Entries:
    """Return no row, for a section that says nothing of teachers."""
    return []


@dataclass(frozen=True)
class Section:
    """One section of the page.

    Attributes
    ----------
    verb : str
        The verb whose results it shows.
    option : str
        The option of report.py that takes its files; also the anchor of its heading.
    title : str
        The heading.
    words : tuple of str
        The words that name a file on the command line, such as recipe and node. Empty if the file
        itself says what it is.
    help : str
        What the files are, for the help of the option.
    entries : callable
        ({name: content of a file}) -> the entries that the template shows.
    blocks : callable
        (entries, signs) -> the blocks of lines in scores.txt.
    teachers : callable
        (entries) -> the rows of teachers.csv, with the columns of `TEACHERS`.
    """

    verb: str
    option: str
    title: str
    words: tuple[str, ...]
    help: str
    entries: Callable[[Mapping[Any, Any]], Entries]
    blocks: Callable[[Entries, Signs], Iterable[list[str]]] = no_blocks
    teachers: Callable[[Entries], Entries] = no_rows

    def read(self, words: Sequence[Any]) -> Entries:
        """Read the files that were given with the option, and return the entries of the section."""
        if not self.words:
            return self.entries({file: read_json(file) for file in words})
        return self.entries(read_named_files(self.option, named_files(f"--{self.option}", words)))


def find_sections() -> list[Section]:
    """Return the sections of this package in the order of their titles."""
    names = [module.name for module in pkgutil.iter_modules(report.__path__)]
    modules = [import_module(f"{report.__name__}.{name}") for name in names]
    sections: list[Section] = [module.SECTION for module in modules if hasattr(module, "SECTION")]
    return sorted(sections, key=lambda section: section.title)


def read_named_files(
    option: str, files: Mapping[Any, str], node_in: Sequence[str] = ("node",)
) -> dict[Any, Any]:
    """Read the JSON files of an option of report.py, and check that each is of the node named.

    Parameters
    ----------
    option
        The name of the option, for messages.
    files
        {(recipe, node, ...): path}.
    node_in
        The keys, from the outermost to the innermost, under which a file names its node.

    Returns
    -------
    dict
        {(recipe, node, ...): content}.

    Raises
    ------
    ValueError
        If a file names another node.
    """
    contents = {name: read_json(file) for name, file in files.items()}
    for (_, node, *_), content in contents.items():
        node_of_file = content
        for key in node_in:
            node_of_file = node_of_file[key]
        if node_of_file != node:
            raise ValueError(
                f"--{option} {node}: the file is of node {node_of_file}; "
                "give each file under its own node."
            )
    return contents
