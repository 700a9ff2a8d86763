"""A rule in a language model's place, for runs without one: it shows that a workflow runs, and knows nothing.

The answer fits most schemas and hangs on the request alone. A truth value is false where the user's text denies
something, a choice is the first value that the text names, else the first of all, and texts are words of the user's,
drawn by a hash.
"""

import json
import random
import re

VERSION = 1  # raise when the same request gets another answer
DENIALS = {"no", "not", "never", "none", "nobody", "nothing", "without", "cannot"}
WORDS = 12  # of a text that is made up


def text(request):
    """The answer to a Request as a model would write it: JSON where there is a schema."""
    rng = random.Random(json.dumps([VERSION, request.seed, request.messages]))
    words = [word for role, said in request.messages if role == "user" for word in re.findall(r"[\w']+", said)]
    made = filled(request.schema or {"type": "string"}, words or ["nothing"], rng)
    return made if request.schema is None else json.dumps(made)


def filled(schema, words, rng):
    """A value for a JSON schema; None for what no rule here makes."""
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return filled(schema[key][0], words, rng)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        said = {word.lower() for word in words}
        return next((value for value in schema["enum"] if str(value).lower() in said), schema["enum"][0])
    kind = schema.get("type")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        return {name: filled(body, words, rng) for name, body in schema.get("properties", {}).items()}
    if kind == "array":
        return [filled(schema.get("items", {}), words, rng) for _ in range(schema.get("minItems", 1))]
    if kind == "boolean":
        return not any(word.lower() in DENIALS or word.lower().endswith("n't") for word in words)
    if kind in ("integer", "number"):
        return schema.get("minimum", 0)
    if kind == "string":
        return " ".join(rng.choices(words, k=WORDS))[: schema.get("maxLength")]
    return None
