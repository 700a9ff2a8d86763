"""Expand a recipe's `for`: make its graph once for each of several tasks.

Under `for: {task: [violence, adverse]}` the node `plain` becomes violence-plain and adverse-plain,
`task/train` becomes violence/train and adverse/train, and a name of a node becomes that of the same
task. Bases keep their names, and so do tasks that are written under their own names. This happens
before anything else reads the recipe.
"""

from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

from postgrad.config.errors import ConfigError, ConfigErrors, lookup
from postgrad.graph.protocol import SECTIONS, Verbs


def read_task_list(raw: dict[str, Any], where: str) -> tuple[str, list[str]]:
    """Return the word of a recipe's `for` and the tasks that it lists, in the order of the file.

    Parameters
    ----------
    raw
        The recipe.
    where
        The path of its file, for messages.

    Raises
    ------
    ConfigError
        If the word is a task's own name, or if a listed name is no task of the recipe.
    """
    ((word, tasks),) = raw["for"].items()
    place, faults = f"{where}: for.{word}", ConfigErrors()
    if word in raw["tasks"]:
        faults.append(
            f"{place}: {word!r} is a task's own name; choose a word that stands for each listed "
            "task."
        )
    for task in tasks:
        with faults.collecting():
            lookup(raw["tasks"], task, place, "task")
    faults.raise_any()
    return word, tasks


def expand_recipe(
    raw: dict[str, Any],
    word: str,
    tasks: list[str],
    nodes: set[str],
    bases: dict[str, Any],
    where: str,
    verbs: Verbs,
) -> dict[str, Any]:
    """Return the recipe with every entry made once for each of the tasks.

    Parameters
    ----------
    raw
        The recipe.
    word, tasks
        The word of its `for` and the tasks that it lists.
    nodes
        The names of all nodes in the file, including those that could not be read.
    bases
        The bases of config/bases.yaml, which keep their names.
    where
        The path of the recipe's file, for messages.
    verbs
        The records of all verbs.

    Raises
    ------
    ConfigError
        If two entries would get one name.
    """

    def any_node(name: str) -> bool:
        return name not in bases

    recipe: dict[str, Any] = {
        **raw,
        **{key: {} for key in (*SECTIONS, "score", "compare", *verbs.of_recipe)},
    }
    for task in tasks:
        for section in (*SECTIONS, "score", "compare"):
            for name, body in raw.get(section, {}).items():
                own = f"{task}-{name}"
                if (
                    section == "score" and name in bases
                ):  # a fault, which names the base as it is written
                    own = name
                elif own in recipe[section]:
                    raise ConfigError(
                        f"{where}: {section}.{name}: two entries would be called {own!r}; rename "
                        "this one."
                    )
                if section in SECTIONS:
                    body = {
                        key: _expand_value(key, value, word, task, nodes, bases, verbs)
                        for key, value in body.items()
                    }
                elif section == "compare":
                    body = {
                        key: _rename(value, word, task, any_node) for key, value in body.items()
                    }
                else:
                    body = _rename(body, word, task, _no_node)
                recipe[section][own] = body
    for verb, record in verbs.of_recipe.items():
        for name, body in raw.get(verb, {}).items():
            for task in tasks if name == word else [name]:
                if task in recipe[verb]:
                    raise ConfigError(
                        f"{where}: {verb}.{name}: {task} occurs twice there; keep one."
                    )
                naming = [key for key in record.naming if key in body and name == word]
                named = {key: _rename(body[key], word, task, any_node) for key in naming}
                recipe[verb][task] = {**body, **named}
    return recipe


def _expand_value(
    key: str, value: Any, word: str, task: str, nodes: set[str], bases: dict[str, Any], verbs: Verbs
) -> Any:
    """Return the value of a node's key, with names replaced if the key names something."""
    if any(key in (*record.names, *record.weighing) for record in verbs.nodes.values()):
        return _rename(value, word, task, lambda name: name not in bases)
    if key in verbs.sections["models"]:
        return _rename(value, word, task, lambda name: _is_node_name(name, nodes, bases))
    return _rename(value, word, task, _no_node) if key in ("fit", "target") else value


def _is_node_name(name: str, nodes: set[str], bases: dict[str, Any]) -> bool:
    """Return whether a name that may be a base or a model is that of a model.

    A misspelt name is taken for the name that is nearest to it.
    """
    if name in nodes or name in bases:
        return name in nodes
    return not nodes.isdisjoint(get_close_matches(name, [*nodes, *bases], 1))


def _rename(value: Any, word: str, task: str, is_node: Callable[[str], bool]) -> Any:
    """Return a value with the names of one task in the place of those of the word.

    `is_node` tells of a name without a slash whether it is that of a node.
    """
    if isinstance(value, list):
        return [_rename(item, word, task, is_node) for item in value]
    if isinstance(value, dict):
        return {
            _rename(key, word, task, is_node): _rename(item, word, task, is_node)
            for key, item in value.items()
        }
    if not isinstance(value, str):
        return value
    alias, slash, split = value.partition("/")
    if slash:
        return f"{task}/{split}" if alias == word else value
    return f"{task}-{value}" if is_node(value) else value


def _no_node(name: str) -> bool:
    """Return False, for values in which no name without a slash is a node."""
    return False
