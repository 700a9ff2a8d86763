"""Results as JSON text in which equal numbers have equal bytes."""

import json
from pathlib import Path
from typing import Any


def rounded(value: Any) -> Any:
    """Return the value with every float in it, at any depth, rounded to ten decimal places.

    Tuples become lists, and -0.0 becomes 0.0.

    Examples
    --------
    >>> rounded({"f1": 1 / 3, "rows": (1, -0.0, "a")})
    {'f1': 0.3333333333, 'rows': [1, 0.0, 'a']}
    """
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(item) for item in value]
    if isinstance(value, float):
        return round(value, 10) + 0.0  # The sum turns -0.0 into 0.0.
    return value


def json_text(value: Any) -> str:
    """Return a value as JSON text with sorted keys, an indent of 1 and a final line break.

    Floats are rounded as by `rounded`. Raise `ValueError` if a float is not finite.
    """
    return (
        json.dumps(rounded(value), sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False)
        + "\n"
    )


def read_json(path: Path | str) -> Any:
    """Return the content of a JSON file."""
    return json.loads(Path(path).read_text(encoding="utf-8"))
