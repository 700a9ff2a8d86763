"""A rule in a language model's place, for runs without one: it shows that a workflow runs, and
knows nothing.

The answer fits most schemas and hangs on the request alone. Of the user's text only the last
paragraph is read, where prompts put the post or the examples. A truth value is false where it
denies something, a choice is the first value that it names, else the first of all, and texts are
words of it, drawn by a hash. Without a schema the answer is such a text, or a list of them where
the user writes `numbered 1 to 10`.
"""

import json
import random
import re
from collections.abc import Mapping, Sequence
from typing import Any

from postgrad.llm.answer_cache import Request

VERSION = 2  # raise when the same request gets another answer
DENIALS = {"no", "not", "never", "none", "nobody", "nothing", "without", "cannot"}
WORDS = 12  # of a text that is made up


def text(request: Request, agrees: bool = False) -> str:
    """The answer to a Request as a model would write it: JSON where there is a schema.

    agrees: every truth value is true, whatever the user's text says, and every text says so.
    """
    rng = random.Random(json.dumps([VERSION, request.seed, request.messages]))
    said = "\n\n".join(said for role, said in request.messages if role == "user")
    words = re.findall(r"[\w']+", said.rstrip().rpartition("\n\n")[2]) or ["nothing"]
    words = ["agreed"] if agrees else words
    if request.schema is not None:
        return json.dumps(filled(request.schema, words, rng))
    listed = re.search(r"numbered 1 to (\d+)", said)
    if listed is None:
        return filled({"type": "string"}, words, rng)
    return "\n".join(
        f"{k}. {filled({'type': 'string'}, words, rng)}" for k in range(1, int(listed[1]) + 1)
    )


def filled(schema: Mapping[str, Any], words: Sequence[str], rng: random.Random) -> Any:
    """A value for a JSON schema; None for what no rule here makes."""
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return filled(schema[key][0], words, rng)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        said = {word.lower() for word in words}
        return next(
            (value for value in schema["enum"] if str(value).lower() in said), schema["enum"][0]
        )
    kind = schema.get("type")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        return {
            name: filled(body, words, rng) for name, body in schema.get("properties", {}).items()
        }
    if kind == "array":
        return [
            filled(schema.get("items", {}), words, rng) for _ in range(schema.get("minItems", 1))
        ]
    if kind == "boolean":
        return not any(word.lower() in DENIALS or word.lower().endswith("n't") for word in words)
    if kind in ("integer", "number"):
        return schema.get("minimum", 0)
    if kind == "string":
        return " ".join(rng.choices(words, k=WORDS))[: schema.get("maxLength")]
    return None
