"""The sections of a report that show the results of one verb, found among the modules of this
package.

A module that holds a section has it under SECTION; its template is report.<verb>.j2, which reads
the entries as `entries`. Taking a verb out of the report is deleting its module and its template.
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
Signs = Callable[
    [str, str], str
]  # (recipe, id of a node) -> the marks behind its name in scores.txt


def no_lines(entries: Entries, signs: Signs) -> list[list[str]]:
    """The blocks of a section that has none in scores.txt."""
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
        Its heading.
    words : tuple of str
        What names a file on the command line: recipe, node and perhaps more. Empty where the file
        says what it is.
    told : str
        What the files are, for the help of the option.
    entries : callable
        ({name: content of a file}) -> what its template shows, an entry each.
    blocks : callable
        (entries, signs) -> lists of lines for scores.txt.
    """

    verb: str
    option: str
    title: str
    words: tuple[str, ...]
    told: str
    entries: Callable[[Mapping[Any, Any]], Entries]
    blocks: Callable[[Entries, Signs], Iterable[list[str]]] = no_lines

    def read(self, given: Sequence[Any]) -> Entries:
        """What the section shows of the files that stand behind its option."""
        if not self.words:
            return self.entries({file: read_json(file) for file in given})
        return self.entries(read_named(self.option, named_files(f"--{self.option}", given)))


def all_sections() -> list[Section]:
    """The sections in the order of their titles."""
    names = [module.name for module in pkgutil.iter_modules(report.__path__)]
    modules = [import_module(f"{report.__name__}.{name}") for name in names]
    found: list[Section] = [module.SECTION for module in modules if hasattr(module, "SECTION")]
    return sorted(found, key=lambda section: section.title)


def read_named(
    option: str, files: Mapping[Any, str], node_in: Sequence[str] = ("node",)
) -> dict[Any, Any]:
    """{(recipe, node, ...): JSON of its file}, of an option of report.py.

    node_in: the keys, one below the other, under which the file says its node. Raises ValueError
    for a file that says that it is of another node.
    """
    found = {name: read_json(file) for name, file in files.items()}
    for (_, node, *_), content in found.items():
        told = content
        for key in node_in:
            told = told[key]
        if told != node:
            raise ValueError(
                f"--{option} {node}: the file is of node {told}; give each file under its own node."
            )
    return found
