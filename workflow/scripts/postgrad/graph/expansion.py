"""A recipe's `for` written out, before anything else reads the recipe: its graph once for each of
several tasks.

Under `for: {task: [violence, adverse]}` the node `plain` becomes violence-plain and adverse-plain,
`task/train` becomes violence/train and adverse/train, and what names a node names that of the same
task. Bases keep their names, and so do tasks that stand under their own.
"""

from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

from postgrad.config.errors import ConfigError, ConfigErrors, lookup
from postgrad.graph.protocol import SECTIONS, Verbs


def listed(raw: dict[str, Any], where: str) -> tuple[str, list[str]]:
    """(word, tasks): what stands in the places of the tasks that a recipe's `for` lists, and those,
    in its order.

    Raises ConfigError where the word is a task's own name, or a listed name is no task of the recipe.
    where: its path.
    """
    ((word, tasks),) = raw["for"].items()
    place, faults = f"{where}: for.{word}", ConfigErrors()
    if word in raw["tasks"]:
        faults.append(
            f"{place}: {word!r} is a task's own name; choose a word that stands for each listed task."
        )
    for task in tasks:
        with faults.collecting():
            lookup(raw["tasks"], task, place, "task")
    faults.raise_any()
    return word, tasks


def expanded(
    raw: dict[str, Any],
    word: str,
    tasks: list[str],
    nodes: set[str],
    bases: dict[str, Any],
    where: str,
    verbs: Verbs,
) -> dict[str, Any]:
    """The recipe with every node, score and compare entry, and those of its own verbs, made once
    for each of the tasks.

    nodes: names of all nodes in the file, those that could not be read among them; bases: those of
    config/bases.yaml, which keep their names wherever they stand; verbs: the records of all verbs.
    Raises ConfigError where two entries would get one name.
    """

    def any_node(name: str) -> bool:
        return name not in bases

    made: dict[str, Any] = {
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
                elif own in made[section]:
                    raise ConfigError(
                        f"{where}: {section}.{name}: two entries would be called {own!r}; rename this one."
                    )
                if section in SECTIONS:
                    body = {
                        key: _value(key, value, word, task, nodes, bases, verbs)
                        for key, value in body.items()
                    }
                elif section == "compare":
                    body = {
                        key: _renamed(value, word, task, any_node) for key, value in body.items()
                    }
                else:
                    body = _renamed(body, word, task, _no_node)
                made[section][own] = body
    for verb, record in verbs.of_recipe.items():
        for name, body in raw.get(verb, {}).items():
            for task in tasks if name == word else [name]:
                if task in made[verb]:
                    raise ConfigError(
                        f"{where}: {verb}.{name}: {task} stands there twice; keep one."
                    )
                naming = [key for key in record.naming if key in body and name == word]
                named = {key: _renamed(body[key], word, task, any_node) for key in naming}
                made[verb][task] = {**body, **named}
    return made


def _value(
    key: str, value: Any, word: str, task: str, nodes: set[str], bases: dict[str, Any], verbs: Verbs
) -> Any:
    """A key of a node: renamed where it names something."""
    if any(key in (*record.names, *record.weighing) for record in verbs.nodes.values()):
        return _renamed(value, word, task, lambda name: name not in bases)
    if key in verbs.sections["models"]:
        return _renamed(value, word, task, lambda name: _means_node(name, nodes, bases))
    return _renamed(value, word, task, _no_node) if key in ("fit", "target") else value


def _means_node(name: str, nodes: set[str], bases: dict[str, Any]) -> bool:
    """Whether a name of a base or a model is a model's.

    A misspelt one counts as what it is nearest to.
    """
    if name in nodes or name in bases:
        return name in nodes
    return not nodes.isdisjoint(get_close_matches(name, [*nodes, *bases], 1))


def _renamed(value: Any, word: str, task: str, is_node: Callable[[str], bool]) -> Any:
    """Names of the task for those of the word.

    is_node: a function of a name without a slash -> whether it is one.
    """
    if isinstance(value, list):
        return [_renamed(item, word, task, is_node) for item in value]
    if isinstance(value, dict):
        return {
            _renamed(key, word, task, is_node): _renamed(item, word, task, is_node)
            for key, item in value.items()
        }
    if not isinstance(value, str):
        return value
    alias, slash, split = value.partition("/")
    if slash:
        return f"{task}/{split}" if alias == word else value
    return f"{task}-{value}" if is_node(value) else value


def _no_node(name: str) -> bool:
    return False
