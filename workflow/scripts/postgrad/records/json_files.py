"""Results as JSON text: equal numbers give equal bytes."""

import json
from pathlib import Path
from typing import Any


def rounded(value: Any) -> Any:
    """The value with every float, at any depth, at ten digits after the point."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(item) for item in value]
    return (
        round(value, 10) + 0.0 if isinstance(value, float) else value
    )  # + 0.0 turns -0.0 into 0.0


def json_text(value: Any) -> str:
    """One value as JSON text.

    Keys sorted, indent 1. Raises ValueError where a float is not finite.
    """
    return (
        json.dumps(rounded(value), sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False)
        + "\n"
    )


def read_json(path: Path | str) -> Any:
    """The content of a JSON file."""
    return json.loads(Path(path).read_text(encoding="utf-8"))
