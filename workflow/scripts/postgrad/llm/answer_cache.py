"""Requests to language models, the private folder that keeps each answer, and what was spent.

The name of an answer's file is the hash of everything that decides the answer: base, messages,
schema and sampling. So an equal request is answered from the folder, whichever node asks and
whichever run was killed before. The raw reply is kept and parsed each time, so that better parsing
needs no second request.
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
    """A request to a language model.

    Attributes
    ----------
    messages
        Pairs of role (system, user or assistant) and text.
    schema
        A JSON schema of the answer, or None for free text. The messages do not mention it unless
        the caller writes it there.
    temperature, max_tokens, seed
        The sampling; None leaves a value to the model.
    """

    messages: tuple[tuple[str, str], ...]
    schema: dict[str, Any] | None = None
    temperature: float | None = 0.0
    max_tokens: int | None = 256
    seed: int | None = 0


@dataclass(frozen=True)
class Reply:
    """What a model sent.

    Attributes
    ----------
    text
        The raw reply.
    finish
        Why it ended: stop, length, or another word.
    tokens_in, tokens_out
        Tokens read and written.
    """

    text: str
    finish: str
    tokens_in: int
    tokens_out: int


@dataclass(frozen=True)
class Answer:
    """The parsed answer to a request.

    Attributes
    ----------
    value
        The object that fits the schema, or the text if there is no schema; None if the model
        abstained.
    reason
        Why the model abstained, or None.
    text
        The raw reply, which may repeat the post; None if there was no reply. That of a stand-in
        begins with [stand-in].
    tokens_in, tokens_out
        Tokens read and written.
    kept
        Whether the reply was kept by an earlier request, so that it cost nothing now.
    stand_in
        Whether a stand-in answered.
    """

    value: Any
    reason: str | None
    text: str | None = None
    tokens_in: int = 0
    tokens_out: int = 0
    kept: bool = False
    stand_in: bool = False


def parse_reply(reply: Reply, schema: Mapping[str, Any] | None) -> tuple[Any, str | None]:
    """Return the value of a reply, or the reason why the model abstained.

    The JSON may stand alone or within one fence of three backticks. The reason repeats nothing of
    the reply, so that logs may show it.

    Parameters
    ----------
    reply
        What the model sent.
    schema
        A JSON schema of the answer, or None for free text.

    Returns
    -------
    value
        The object that fits the schema (the text without a schema), or None.
    reason : str or None
        The reason to abstain if the value is None.

    Examples
    --------
    >>> parse_reply(Reply("yes", "stop", 3, 1), {"type": "boolean"})
    (None, 'not JSON')
    """
    if reply.finish not in ("stop", "length"):
        is_word = re.fullmatch("[a-z_]{1,40}", reply.finish)
        return None, f"ended by {reply.finish}" if is_word else "ended otherwise"
    if schema is None:
        return (None, "cut at max_tokens") if reply.finish == "length" else (reply.text, None)
    fenced = re.fullmatch(r"\s*```(?:json)?\s*\n(.*)\n\s*```\s*", reply.text, re.DOTALL)
    try:
        value = json.loads(fenced[1] if fenced else reply.text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return None, "cut at max_tokens" if reply.finish == "length" else "not JSON"
    misfit = jsonschema.exceptions.best_match(
        jsonschema.Draft202012Validator(schema).iter_errors(value)
    )
    if misfit is not None or value is None:  # null would look like an abstention
        place = "/".join(map(str, misfit.absolute_schema_path)) if misfit else "null"
        return None, f"does not fit the schema ({place})"
    return value, None


def _refuse_constant(word: str) -> Any:
    """Refuse NaN and Infinity, which Python reads and JSON does not have."""
    raise ValueError(f"{word} is no JSON")


def answer_key(identity: Mapping[str, Any], request: Request) -> str:
    """Return the name of an answer: the SHA-256 of the request and the identity of its base.

    Parameters
    ----------
    identity
        Everything of the base that decides its answers; see `client.base_identity`.
    request
        The request.
    """
    text = json.dumps([identity, asdict(request)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def answer_counts(answers: Iterable[Answer]) -> dict[str, Any]:
    """Return the counts of answers, which include the kept ones.

    Returns
    -------
    dict
        answers, kept, tokens_in, tokens_out and stand_in are numbers; abstained is the number of
        abstentions for each reason.

    Examples
    --------
    >>> answer_counts([Answer(None, "not JSON", "yes", 3, 1)])["abstained"]
    {'not JSON': 1}
    """
    answer_list = list(answers)
    counts: dict[str, Any] = {"answers": len(answer_list)}
    for key in ("kept", "tokens_in", "tokens_out", "stand_in"):
        counts[key] = sum(getattr(answer, key) for answer in answer_list)
    reasons = Counter(answer.reason for answer in answer_list if answer.reason is not None)
    return counts | {"abstained": dict(sorted(reasons.items()))}


def stop_if_requested(name: str) -> None:
    """End the job with exit code 75 if a signal asked it to stop. name: of the base."""
    if signals.is_stop_requested():
        signals.exit_stopped(
            f"base {name}: stopped on request; a rerun continues from the answers that are kept"
        )


class AnswerFolder:
    """The folder of a base's answers, one file for each, readable by its owner only.

    The answers may repeat posts. One job at a time works in the folder, under its lock.

    Parameters
    ----------
    folder
        The folder, which is created if it does not exist.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder.chmod(0o700)
        for half in self.folder.glob(".*.partial"):  # of a killed run
            half.unlink()

    def read_reply(self, name: str) -> Reply | None:
        """Return the reply of that name, or None if it is missing or its file is damaged."""
        try:
            return Reply(**json.loads((self.folder / f"{name}.json").read_text(encoding="utf-8")))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def write_reply(self, name: str, reply: Reply) -> None:
        """Keep a reply under this name."""
        self.write_json(f"{name}.json", asdict(reply))

    def write_json(self, file: str, content: Any) -> None:
        """Write a file of the folder and flush it to the disk; it is complete or not there."""
        with atomic_write(self.folder / file) as temporary:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as out:
                out.write(json.dumps(content))
                out.flush()
                os.fsync(out.fileno())


class Spending:
    """Requests that were ever sent from a folder of answers, each try counted, and their tokens.

    Parameters
    ----------
    answers
        The folder of the answers, which also keeps the sums.
    name
        The name of the base, for messages.
    budget
        The most requests and tokens, or None. Tokens are known after an answer only, so that one
        answer may exceed them.
    """

    FILE = "spent.json"

    def __init__(self, answers: AnswerFolder, name: str, budget: Mapping[str, int] | None) -> None:
        self.answers, self.name, self.budget = answers, name, budget
        path = answers.folder / self.FILE
        self.sums: dict[str, int] = (
            json.loads(path.read_text(encoding="utf-8"))
            if path.is_file()
            else {"requests": 0, "tokens": 0}
        )

    def count_request(self) -> None:
        """Count one request before it is sent; raise `ValueError` if the budget is spent."""
        budget = self.budget or {}
        for what, most in budget.items():
            if self.sums[what] >= most:
                sums = " and ".join(f"{self.sums[key]} of {budget[key]} {key}" for key in budget)
                raise ValueError(
                    f"base {self.name}: its budget is spent ({sums}): raise endpoints.{what} in "
                    "the study and run again, which continues from the answers that are kept"
                )
        self.add("requests", 1)

    def add(self, what: str, number: int) -> None:
        """Add a number to the requests or the tokens."""
        self.sums[what] += number
        self.answers.write_json(self.FILE, self.sums)
