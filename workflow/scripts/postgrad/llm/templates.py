"""What a language model is told: prompts of config/prompts whose {fields} are filled in, and the
texts that fill them.

A field is a name in braces. Everything else in braces is text, such as the JSON that a prompt
shows. Nothing heavy is imported: Snakemake's side looks at the fields.
"""

import random
import re
from collections.abc import Iterable, Mapping
from typing import Any

FIELD = re.compile(r"\{([a-z_]+)\}")


def messages(prompt: Mapping[str, str], values: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The (role, text) pairs of a request: system, then user.

    prompt: {system, user}: templates. values: {field: its text}. Nothing is filled in twice: a post
    keeps its braces.
    """
    return tuple(
        (role, FIELD.sub(lambda field: values[field[1]], prompt[role]))
        for role in ("system", "user")
    )


def defined(labels: Iterable[Mapping[str, Any]]) -> str:
    """The labels of a task, a line each.

    `- yes: what the class means`. labels: {name, about}, about may be missing.
    """
    return "\n".join(
        ": ".join([f"- {label['name']}", *filter(None, [label.get("about")])]) for label in labels
    )


def shots(
    rows: Iterable[tuple[str, int, str]], classes: int, each: int, seed: int
) -> list[tuple[int, str]]:
    """Examples, [(class code, text)]: `each` posts of every class, class by class, as drawn; of
    fewer all.

    rows: (post_id, class code, text) of posts of train. The draw hangs on seed and ids alone, not
    on the rows' order.
    """
    rng = random.Random(seed)
    drawn: list[tuple[int, str]] = []
    for code in range(classes):
        own = [(label, text) for _, label, text in sorted(rows) if label == code]
        drawn += rng.sample(own, min(each, len(own)))
    return drawn
