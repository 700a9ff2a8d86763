"""A stand-in for a language model: a rule that shows that a workflow runs, and knows nothing.

Its answer fits most schemas and depends on the request only. Of the user's text it reads the last
paragraph, where prompts put the post or the examples. A truth value is false if the paragraph
contains a denial; a choice is the first value of the schema that the paragraph names, or else the
first value; a text consists of words of the paragraph, drawn by a hash. Without a schema the answer
is such a text, or a list of texts if the user's text says `numbered 1 to 10`.
"""

import json
import random
import re
from collections.abc import Mapping, Sequence
from typing import Any

from postgrad.llm.answer_cache import Request

VERSION = 2  # raise when the same request gets another answer
DENIALS = {"no", "not", "never", "none", "nobody", "nothing", "without", "cannot"}
WORDS = 12  # words of a text


def stand_in_text(request: Request, agrees: bool = False) -> str:
    """Return the answer to a request as a model would write it: JSON if there is a schema.

    Parameters
    ----------
    request
        The request.
    agrees
        Whether every truth value is true, whatever the user's text is; every text then consists of
        the word agreed.
    """
    rng = random.Random(json.dumps([VERSION, request.seed, request.messages]))
    user = "\n\n".join(text for role, text in request.messages if role == "user")
    words = re.findall(r"[\w']+", user.rstrip().rpartition("\n\n")[2]) or ["nothing"]
    words = ["agreed"] if agrees else words
    if request.schema is not None:
        return json.dumps(schema_value(request.schema, words, rng))
    numbered = re.search(r"numbered 1 to (\d+)", user)
    if numbered is None:
        return schema_value({"type": "string"}, words, rng)
    return "\n".join(
        f"{k}. {schema_value({'type': 'string'}, words, rng)}"
        for k in range(1, int(numbered[1]) + 1)
    )


def schema_value(schema: Mapping[str, Any], words: Sequence[str], rng: random.Random) -> Any:
    """Return a value that fits a JSON schema, None if no rule here makes one."""
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return schema_value(schema[key][0], words, rng)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        lower_words = {word.lower() for word in words}
        return next(
            (value for value in schema["enum"] if str(value).lower() in lower_words),
            schema["enum"][0],
        )
    kind = schema.get("type")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        return {
            name: schema_value(body, words, rng)
            for name, body in schema.get("properties", {}).items()
        }
    if kind == "array":
        return [
            schema_value(schema.get("items", {}), words, rng)
            for _ in range(schema.get("minItems", 1))
        ]
    if kind == "boolean":
        return not any(word.lower() in DENIALS or word.lower().endswith("n't") for word in words)
    if kind in ("integer", "number"):
        return schema.get("minimum", 0)
    if kind == "string":
        return " ".join(rng.choices(words, k=WORDS))[: schema.get("maxLength")]
    return None
