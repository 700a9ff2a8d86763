"""Sentences on a recipe's graph, brought back to the places and names that stand in the recipe's
file.
"""

import re
from typing import Any

from postgrad.config.errors import PLACE, place_of
from postgrad.graph.protocol import SECTIONS, Verbs


def as_in_file(
    sentences: list[str],
    content: dict[str, Any],
    word: str | None,
    tasks: list[str],
    records: Verbs,
) -> list[str]:
    """Tell the faults of a graph in the words of its file, each once.

    Parameters
    ----------
    sentences : list of str
        The faults, of nodes that `for` and the defaults have changed.
    content : dict
        The recipe as its file has it.
    word : str or None
        The word of its `for`.
    tasks : list of str
        The tasks for which all nodes were made; empty without `for`.
    records : Verbs
        The records of all verbs.

    Returns
    -------
    list of str
        A fault that all tasks share is told once, by the names of the file; one of a single task
        names that task. A key that a node has from the defaults is told at the defaults.
    """
    told_of: dict[str, set[str | None]] = {}
    found = []
    forms = {sentence: _without_task(sentence, word, tasks) for sentence in sentences}
    for *written, task in forms.values():
        for form in written:
            told_of.setdefault(form, set()).add(task)
    for sentence, (*written, _) in forms.items():
        found.append(next((form for form in written if told_of[form] == set(tasks)), sentence))
    return list(
        dict.fromkeys(_at_defaults(sentence, content, tasks, records) for sentence in found)
    )


def _without_task(sentence: str, word: str | None, tasks: list[str]) -> tuple[str, str, str | None]:
    """The sentence with names as in the file; with splits of the task under the word, too; and the
    task told of.

    The task is that of the first name. A node of another may be named as the nearest one; and a
    split may stand in the file under its task's own name.
    """
    if not tasks:
        return sentence, sentence, None
    task = rf"(?<![\w/@-])({'|'.join(re.escape(task) for task in sorted(tasks, key=len, reverse=True))})"
    names = re.sub(rf"{task}-(?=[a-z0-9])", "", sentence)
    first = re.search(rf"{task}[/-](?=[a-z0-9])", sentence)
    own = first[1] if first else None
    return names, re.sub(rf"(?<![\w/@-]){re.escape(own or str(word))}/", f"{word}/", names), own


def _at_defaults(sentence: str, content: dict[str, Any], tasks: list[str], records: Verbs) -> str:
    """The sentence at the place of the defaults, where a node's key stands there alone."""
    section, node, key = (place_of(sentence).split(".", 2) + ["", ""])[:3]
    if section not in SECTIONS:
        return sentence
    nodes = content.get(section, {})
    body = next(
        (
            nodes[one]
            for one in [node, *(node.removeprefix(f"{task}-") for task in tasks)]
            if one in nodes
        ),
        None,
    )
    if not isinstance(body, dict):
        return sentence
    verb = next((verb for verb in records.nodes if verb in body), None)
    if verb is None or key in body or key not in content.get("defaults", {}).get(verb, {}):
        return sentence
    return PLACE.sub(f": defaults.{verb}.{key}", sentence, count=1)
