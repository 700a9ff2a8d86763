"""What a language model is asked and answers, the private folder that keeps each answer, and what
was spent.

An answer's file is named by the hash of all that decides it: base, messages, schema, sampling. So
an equal request is answered from the folder, whichever node asks and whatever run was killed
before. The raw reply is kept and read anew each time: better reading costs no second request.
"""

import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jsonschema

from postgrad.records.files import atomic_write
from postgrad.runtime import signals


@dataclass(frozen=True)
class Request:
    """messages: (role, text) pairs, roles system, user and assistant. schema: a JSON schema of the
    answer, or None for free text; no message mentions it unless the caller writes it there.
    temperature, max_tokens and seed: None leaves each to the model.
    """

    messages: tuple[tuple[str, str], ...]
    schema: dict[str, Any] | None = None
    temperature: float | None = 0.0
    max_tokens: int | None = 256
    seed: int | None = 0


@dataclass(frozen=True)
class Reply:
    """What a model sent.

    Its text, why it ended (stop, length, or another word), and tokens read and written.
    """

    text: str
    finish: str
    tokens_in: int
    tokens_out: int


@dataclass(frozen=True)
class Answer:
    """value: the object that fits the schema (the text where there is none), or None: abstained,
    and reason says why.

    text: the raw answer, which may repeat the post, None where no reply came; a stand-in's begins
    with [stand-in]. kept: whether it was answered before and cost nothing now.
    """

    value: Any
    reason: str | None
    text: str | None = None
    tokens_in: int = 0
    tokens_out: int = 0
    kept: bool = False
    stand_in: bool = False


def judged(reply: Reply, schema: Mapping[str, Any] | None) -> tuple[Any, str | None]:
    """(value, None), or (None, the reason to abstain). A reason repeats nothing of the reply: logs
    may show it.

    JSON may stand alone or within one fence of three backticks.
    """
    if reply.finish not in ("stop", "length"):
        return None, f"ended by {reply.finish}" if re.fullmatch(
            "[a-z_]{1,40}", reply.finish
        ) else "ended otherwise"
    if schema is None:
        return (None, "cut at max_tokens") if reply.finish == "length" else (reply.text, None)
    fenced = re.fullmatch(r"\s*```(?:json)?\s*\n(.*)\n\s*```\s*", reply.text, re.DOTALL)
    try:
        value = json.loads(fenced[1] if fenced else reply.text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return None, "cut at max_tokens" if reply.finish == "length" else "not JSON"
    misfit = jsonschema.exceptions.best_match(
        jsonschema.Draft202012Validator(schema).iter_errors(value)
    )
    if misfit is not None or value is None:  # null would look like an abstention
        place = "/".join(map(str, misfit.absolute_schema_path)) if misfit else "null"
        return None, f"does not fit the schema ({place})"
    return value, None


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")


def digest(described: Mapping[str, Any], request: Request) -> str:
    """The name of an answer.

    SHA-256 of the request and of `described`, all of the base that decides its answers.
    """
    text = json.dumps([described, asdict(request)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def tally(answers: Iterable[Answer]) -> dict[str, Any]:
    """{answers, kept, tokens_in, tokens_out, stand_in, abstained.

    {reason: how many}}; tokens of kept ones included.
    """
    given = list(answers)
    found = {"answers": len(given)}
    for key in ("kept", "tokens_in", "tokens_out", "stand_in"):
        found[key] = sum(getattr(answer, key) for answer in given)
    reasons = Counter(answer.reason for answer in given if answer.reason is not None)
    return found | {"abstained": dict(sorted(reasons.items()))}


def heed(name: str) -> None:
    """Nothing; the job's end with exit code 75 where it was told to stop: see stopping."""
    if signals.wanted():
        signals.stop(
            f"base {name}: stopped as told; a rerun goes on from the answers that are kept"
        )


class Kept:
    """The folder of a base's answers, one file each, for its owner alone: they may repeat posts.

    One job at a time works in it, under its lock.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder.chmod(0o700)
        for half in self.folder.glob(".*.partial"):  # of a killed run
            half.unlink()

    def read(self, name: str) -> Reply | None:
        """The Reply of that name, or None; a file that a disk has spoilt is none either."""
        try:
            return Reply(**json.loads((self.folder / f"{name}.json").read_text(encoding="utf-8")))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def write(self, name: str, reply: Reply) -> None:
        self.replace(f"{name}.json", asdict(reply))

    def replace(self, file: str, content: Any) -> None:
        """Write `content` as JSON beside the file, down to the disk, and rename.

        It is whole or not there.
        """
        with atomic_write(self.folder / file) as beside:
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as out:
                out.write(json.dumps(content))
                out.flush()
                os.fsync(out.fileno())


class Spent:
    """What was ever sent from a folder of answers: requests, each try counted, and tokens of what
    came back.

    budget: {requests, tokens} at most, or None. Tokens are known afterwards: one answer may
    overshoot them.
    """

    FILE = "spent.json"

    def __init__(self, kept: Kept, name: str, budget: Mapping[str, int] | None) -> None:
        self.kept, self.name, self.budget = kept, name, budget
        path = kept.folder / self.FILE
        self.sums: dict[str, int] = (
            json.loads(path.read_text(encoding="utf-8"))
            if path.is_file()
            else {"requests": 0, "tokens": 0}
        )

    def send(self) -> None:
        """Count one request before it is sent; ValueError where the budget has none left."""
        budget = self.budget or {}
        for what, most in budget.items():
            if self.sums[what] >= most:
                told = " and ".join(f"{self.sums[key]} of {budget[key]} {key}" for key in budget)
                raise ValueError(f"base {self.name}: its budget is spent ({told}): raise endpoints.{what} in the study "
                                 "and run again, which goes on from the answers that are kept")  # fmt: skip
        self.add("requests", 1)

    def add(self, what: str, number: int) -> None:
        self.sums[what] += number
        self.kept.replace(self.FILE, self.sums)
