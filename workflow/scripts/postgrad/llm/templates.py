"""Templates of prompts, and the texts that fill their fields.

A field is a name in braces. Everything else in braces is text, such as JSON that a prompt shows.
The module imports nothing heavy, because the Snakemake side reads the fields of prompts.
"""

import random
import re
from collections.abc import Iterable, Mapping
from typing import Any

FIELD = re.compile(r"\{([a-z_]+)\}")


def fill_messages(
    prompt: Mapping[str, str], values: Mapping[str, str]
) -> tuple[tuple[str, str], ...]:
    """Return the messages of a request: pairs of role and text, first system, then user.

    Fields inside a value are not filled in: a post keeps its braces.

    Parameters
    ----------
    prompt
        The templates `system` and `user`.
    values
        The text of each field.

    Examples
    --------
    >>> fill_messages({"system": "Say {label}.", "user": "{text}"}, {"label": "no", "text": "{}"})
    (('system', 'Say no.'), ('user', '{}'))
    """
    return tuple(
        (role, FIELD.sub(lambda field: values[field[1]], prompt[role]))
        for role in ("system", "user")
    )


def label_definitions(labels: Iterable[Mapping[str, Any]]) -> str:
    r"""Return the labels of a task with their meanings, one line for each.

    Parameters
    ----------
    labels
        Labels with `name` and, if there is a definition, `about`.

    Examples
    --------
    >>> label_definitions([{"name": "no"}, {"name": "yes", "about": "it rains"}])
    '- no\n- yes: it rains'
    """
    return "\n".join(
        ": ".join([f"- {label['name']}", *filter(None, [label.get("about")])]) for label in labels
    )


def draw_examples(
    rows: Iterable[tuple[str, int, str]], classes: int, each: int, seed: int
) -> list[tuple[int, str]]:
    """Draw examples of every class; the draw depends on the seed and the ids only.

    Parameters
    ----------
    rows
        post_id, class code and text of posts of train, in any order.
    classes
        The number of classes.
    each
        Examples of each class. A class with fewer posts gives all of them.
    seed
        Seed of the draw.

    Returns
    -------
    list of tuple
        Class code and text, class by class, in the order of the draw.
    """
    rng = random.Random(seed)
    drawn: list[tuple[int, str]] = []
    for code in range(classes):
        own = [(label, text) for _, label, text in sorted(rows) if label == code]
        drawn += rng.sample(own, min(each, len(own)))
    return drawn
