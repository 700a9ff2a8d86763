"""Names of the parts of a network that are not trained."""

import re

EMBEDDINGS = "embeddings"


def layer_range(part: str) -> tuple[int, int] | None:
    """Return the first and the last layer of a range, or None if a part is no range of layers.

    Examples
    --------
    >>> layer_range("layers 0-5"), layer_range("embeddings")
    ((0, 5), None)
    """
    match = re.fullmatch(r"layers (\d+)-(\d+)", part)
    return (int(match[1]), int(match[2])) if match else None
