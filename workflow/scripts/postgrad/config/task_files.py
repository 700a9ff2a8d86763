"""The full form of a task file, and checks that compare several of its keys.

What concerns one key alone is checked by its schema in workflow/schemas.
"""

import codecs
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from postgrad.config.errors import ConfigError, ConfigErrors, lookup
from postgrad.config.schemas import describe_value
from postgrad.config.yaml_files import as_list

PLATFORM = "unknown"  # of a task file that names none
# What a post is called in the prompt that a task file without one has.
_POST_NAMES = {"twitter": "Tweet"}


def complete_task(body: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the content of a task file with the values of all keys that it may leave out.

    A task file that leaves out nothing is returned as it is.

    Parameters
    ----------
    body
        The content of the task file, which fits its schema.
    name
        The name of the task.

    Examples
    --------
    >>> task = {"metric": "macro_f1", "labels": ["against", "favor"], "splits": {"train": {}}}
    >>> full = complete_task(task, "stance")
    >>> full["title"], full["labels"][1]["value"], full["labels"][1]["digit"]
    ('stance', 'favor', '1')
    >>> print(full["prompt"])
    stance
    Answer with one of: against (0), favor (1).
    Post: {text}
    Answer:
    """
    full = {"title": name, "platform": PLATFORM, **body}
    full["labels"] = [
        _complete_label(label, code, full["title"]) for code, label in enumerate(body["labels"])
    ]
    if "positive" in body:
        full["positive"] = [str(label) for label in body["positive"]]
    if "prompt" not in full:
        full["prompt"] = _default_prompt(full)
    return full


def _complete_label(label: Any, code: int, title: str) -> dict[str, Any]:
    """Return a label as a mapping with name, value, word, digit and what it means."""
    given = dict(label) if isinstance(label, dict) else {"name": str(label)}
    name = given["name"]
    full = {"name": name, "value": name, "word": name, "digit": str(code), **given}
    if len(full) > len(given):
        full.setdefault("about", f"{title}: {name}")
    return full


def _default_prompt(body: Mapping[str, Any]) -> str:
    """Return the prompt of a task file that has none; it names the title and the labels."""
    answers = ", ".join(f"{label['word']} ({label['digit']})" for label in body["labels"])
    question = f"{body['title']}\nAnswer with one of: {answers}.".replace("{", "(")
    parts = [*body["splits"].values(), body.get("divide", {})]
    columns = [part["columns"] for part in parts if part.get("columns")]
    has_keyword = columns and all("keyword" in names for names in columns)
    keyword = "Keyword: {keyword}\n" if has_keyword else ""
    post = _POST_NAMES.get(body["platform"], "Post")
    return f"{question.replace('}', ')')}\n{keyword}{post}: {{text}}\nAnswer:"


def check_task(body: Mapping[str, Any], where: str) -> None:
    """Raise `ConfigError`, with all mistakes, if parts of a task file contradict each other.

    Parameters
    ----------
    body
        The full content of the task file, as from `complete_task`.
    where
        The file, for the messages.
    """
    faults = ConfigErrors()
    names = [label["name"] for label in body["labels"]]
    for key in ("name", "value", "word", "digit"):
        values = [str(label[key]) for label in body["labels"]]
        if key != "name" and values == names:  # left out, so that its fault is that of the names
            continue
        if repeated := [value for i, value in enumerate(values) if value in values[:i]]:
            faults.append(
                f"{where}: labels: two labels have the {key} {repeated[0]!r}; give each its own."
            )
    for label in body.get("positive", []):
        with faults.collecting():
            lookup(dict.fromkeys(names), label, f"{where}: positive", "label")
    if body["metric"] == "f1" and not body.get("positive"):
        faults.append(
            f"{where}: positive is missing; metric f1 needs the names of the positive classes."
        )
    if body["metric"] == "auc" and len(names) != 2:
        faults.append(
            f"{where}: metric: auc needs two labels, found {len(names)}; choose macro_f1."
        )
    for part in [_prompt, _splits, _divide]:
        with faults.collecting():
            part(body, where)
    faults.raise_any()


def _prompt(body: Mapping[str, Any], where: str) -> None:
    """Check that the prompt has the field {text} once, and only fields that exist."""
    text, where = body["prompt"], f"{where}: prompt"
    fields = re.findall(r"\{([^{}]*)\}", text)
    for field in fields:
        lookup(dict.fromkeys(["text", "keyword"]), field, where, "field")
    if fields.count("text") != 1:
        raise ConfigError(
            f"{where}: found {{text}} {fields.count('text')} times; "
            "write it once, where the post goes."
        )
    if text.rstrip().endswith("}"):
        raise ConfigError(
            f"{where}: it ends with a field; write a word after it, such as Answer:, "
            "for the answer to follow."
        )
    for split, part in body["splits"].items():
        if "keyword" in fields and part.get("columns") and "keyword" not in part["columns"]:
            raise ConfigError(
                f"{where}: it reads {{keyword}}, and splits.{split}.columns names no keyword; "
                "add it to one."
            )


def _splits(body: Mapping[str, Any], where: str) -> None:
    """Check that each split has a file or a share of `divide`, and the columns that it needs."""
    faults, parts = ConfigErrors(), body.get("divide", {}).get("parts", {})
    for split, part in body["splits"].items():
        place = f"{where}: splits.{split}"
        if not part:
            if split not in parts:
                faults.append(
                    f"{place}: no file, and divide.parts does not name it; "
                    "give it a file, or a part."
                )
            continue
        if ("file" in part) == ("files" in part):
            faults.append(f"{place}: say exactly one of file and files.")
        if split in parts:
            faults.append(f"{place}: it has a file, and divide.parts names it too; keep one.")
        lines = {"text": "text", "label": "label"} if "labels_file" in part else {}
        columns = part.get("columns", lines)
        labelled = split in ("train", "dev")
        for key in [
            "text",
            *(["label"] if labelled or "gold" in part else []),
            *(["id"] if "gold" in part else []),
        ]:
            if key not in columns:
                faults.append(f"{place}.columns: {key} is missing; name the file's column.")
        select = part.get("select", {})
        if select.get("min_words", 0) > select.get("max_words", select.get("min_words", 0)):
            faults.append(
                f"{place}.select: min_words is more than max_words, so no post is left; "
                "exchange them."
            )
        with faults.collecting():
            _columns(body, part, place)
    faults.raise_any()


def _divide(body: Mapping[str, Any], where: str) -> None:
    """Check the shares and the columns of a file that is divided into splits."""
    divide = body.get("divide")
    if divide is None:
        return
    faults, place = ConfigErrors(), f"{where}: divide"
    for split in divide["parts"]:
        with faults.collecting():
            lookup(body["splits"], split, f"{place}.parts", "split")
    shares = [share for share in divide["parts"].values() if isinstance(share, int | float)]
    if "split" in divide["columns"]:
        if shares:
            faults.append(
                f"{place}.parts: a share stands beside the column split; write the values of that "
                "column for each split."
            )
    elif len(shares) < len(divide["parts"]):
        faults.append(f"{place}.parts: write the share of each split, or a column split.")
    elif abs(sum(shares) - 1) > 1e-9:
        faults.append(f"{place}.parts: the shares sum to {sum(shares):g}; make them sum to 1.")
    elif "seed" not in divide:
        faults.append(f"{place}: seed is missing; write a number for the draw, such as 1.")
    if "label" not in divide["columns"]:
        faults.append(f"{place}.columns: label is missing; name the file's column.")
    with faults.collecting():
        _columns(body, divide, place)
    faults.raise_any()


def _columns(body: Mapping[str, Any], part: Mapping[str, Any], where: str) -> None:
    """Check the columns and the encoding of a file of a split or of `divide`."""
    if isinstance(part.get("columns", {}).get("label"), dict) and len(body["labels"]) != 2:
        raise ConfigError(
            f"{where}.columns.label: among gives two classes, "
            f"and the task has {len(body['labels'])} labels."
        )
    try:
        info = codecs.lookup(part.get("encoding", "utf-8"))
        if not getattr(info, "_is_text_encoding", True):
            raise LookupError
    except LookupError:
        name = describe_value(part["encoding"])
        raise ConfigError(
            f"{where}.encoding: there is no encoding {name}; "
            "write utf-8, or cp1252 for old exports."
        ) from None


def check_raw_files(
    body: Mapping[str, Any],
    files: Iterable[tuple[str, Mapping[str, Any], Iterable[Path]]],
    where: str,
) -> None:
    """Raise `ConfigError`, with a message for each file, if raw files of a task are missing.

    Parameters
    ----------
    body
        The content of the task file.
    files
        (key path in the task file, part of the file, paths), as `Study.raw_parts` returns them.
    where
        The task file, for the messages.
    """
    faults = ConfigErrors()
    for key, part, paths in files:
        for path in paths:
            if not path.is_file():
                columns = (
                    c["column"] if isinstance(c, dict) else c
                    for c in part.get("columns", {}).values()
                )
                names = ", ".join(" or ".join(as_list(column)) for column in columns)
                state = "is no file" if path.exists() else "is not there"
                source = f"; {body['source']}" if "source" in body else ""
                faults.append(
                    f"{where}: {key}: {path} {state}; expected are the columns {names}{source}."
                )
    faults.raise_any()
