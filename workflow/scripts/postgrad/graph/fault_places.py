"""Messages about a graph, with the places and names that are written in the recipe's file."""

import re
from typing import Any

from postgrad.config.errors import PLACE, place_of
from postgrad.graph.protocol import SECTIONS, Verbs


def messages_for_file(
    sentences: list[str],
    content: dict[str, Any],
    word: str | None,
    tasks: list[str],
    records: Verbs,
) -> list[str]:
    """Return the messages about a graph in the words of the recipe's file, each once.

    Parameters
    ----------
    sentences : list of str
        The messages, about nodes as `for` and the defaults have made them.
    content : dict
        The content of the recipe's file.
    word : str or None
        The word of its `for`.
    tasks : list of str
        The tasks for which all nodes were made; empty without `for`.
    records : Verbs
        The records of all verbs.

    Returns
    -------
    list of str
        A message that holds for all tasks stands there once, with the names of the file. A message
        about one task names that task. If a node has a key from the defaults, the message names the
        defaults.
    """
    tasks_of_form: dict[str, set[str | None]] = {}
    messages = []
    forms = {sentence: _forms_without_task(sentence, word, tasks) for sentence in sentences}
    for *written, task in forms.values():
        for form in written:
            tasks_of_form.setdefault(form, set()).add(task)
    for sentence, (*written, _) in forms.items():
        messages.append(
            next((form for form in written if tasks_of_form[form] == set(tasks)), sentence)
        )
    return list(
        dict.fromkeys(_move_to_defaults(sentence, content, tasks, records) for sentence in messages)
    )


def _forms_without_task(
    sentence: str, word: str | None, tasks: list[str]
) -> tuple[str, str, str | None]:
    """Return a message with the names of the file, the same with the word of `for`, and its task.

    In the second form the splits of the task stand under the word of `for`. The task is that of the
    first name in the message, since another task may be named as a suggestion.
    """
    if not tasks:
        return sentence, sentence, None
    longest_first = sorted(tasks, key=len, reverse=True)
    task = rf"(?<![\w/@-])({'|'.join(map(re.escape, longest_first))})"
    names = re.sub(rf"{task}-(?=[a-z0-9])", "", sentence)
    first = re.search(rf"{task}[/-](?=[a-z0-9])", sentence)
    own = first[1] if first else None
    return names, re.sub(rf"(?<![\w/@-]){re.escape(own or str(word))}/", f"{word}/", names), own


def _move_to_defaults(
    sentence: str, content: dict[str, Any], tasks: list[str], records: Verbs
) -> str:
    """Return a message with the place of the defaults if the key is written only there."""
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
