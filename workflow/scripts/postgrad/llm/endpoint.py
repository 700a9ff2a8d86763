"""Requests to an OpenAI-compatible server, which are sent again if that can help.

No error message contains a key, a post or a reply.
"""

import email.utils
import json
import math
import os
import re
import time
from collections.abc import Mapping
from typing import Any

import openai

from postgrad.llm.answer_cache import Reply, Request, Spending, stop_if_requested
from postgrad.runtime import signals

# Seconds before the second try. The wait doubles before each further try, up to the longest.
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0
PATIENCE = 300.0  # seconds that a server may ask to wait; if it asks for more, the job ends
RETRY_STATUSES = (408, 409, 429)  # and 5xx: the same request may be answered later
LETTERS_PER_TOKEN = 4  # an estimate, for servers that do not count tokens


class RequestFailed(ValueError):
    """One request got no answer; others may get one.

    Parameters
    ----------
    sentence
        The message.
    why
        The reason in a few words.
    """

    def __init__(self, sentence: str, why: str) -> None:
        super().__init__(sentence)
        self.why = why


class Endpoint:
    """A server as a function of a request that returns its reply.

    Parameters
    ----------
    base
        `base`, its name; url and model; and, as bases.yaml describes them, key, timeout, tries,
        structured and limit.
    spending
        Counts each try before it is sent.
    """

    def __init__(self, base: Mapping[str, Any], spending: Spending) -> None:
        self.base, self.spending = base, spending
        self.where = f"base {base['base']}: {base['url']}"
        self.timeout = base.get("timeout", 120)
        self.client = openai.OpenAI(
            base_url=base["url"],
            api_key=api_key(base),
            max_retries=0,  # its own tries would not be counted
            timeout=openai.Timeout(self.timeout, connect=min(self.timeout, 10)),
            # A redirection would send the post to a server that nobody named.
            http_client=openai.DefaultHttpxClient(follow_redirects=False),
        )

    def __call__(self, request: Request) -> Reply:
        """Return the reply to a request.

        Raises
        ------
        RequestFailed
            If this request got no answer.
        ValueError
            If no request will get an answer.
        """
        body, tries = self.request_body(request), self.base.get("tries", 6)
        for attempt in range(1, tries + 1):
            stop_if_requested(self.base["base"])
            self.spending.count_request()
            wait = min(FIRST_WAIT * 2 ** (attempt - 1), LONGEST_WAIT)
            try:
                response = self.client.chat.completions.with_raw_response.create(**body)
                return parse_completion(response.http_response.text, body)
            except openai.APIStatusError as fault:
                why, wait = f"status {fault.status_code}", self.seconds_to_wait(fault, wait)
            except openai.APITimeoutError:
                why = f"nothing within {self.timeout:g} seconds"
            except openai.APIConnectionError as fault:
                if type(fault.__cause__).__name__ == "ConnectError":
                    self.spending.add("requests", -1)  # nothing was sent
                    raise ValueError(
                        f"{self.where} cannot be reached: start the server, or correct url in "
                        "bases.yaml, and run again, which continues from the answers that are kept"
                    ) from None
                why = "the connection broke"
            except ValueError:
                why = "no chat completion"
            if attempt < tries:
                wait_unless_stopped(wait)
        raise RequestFailed(
            f"{self.where} gave no answer in {tries} tries (the last: {why}): run again later, "
            "which continues from the answers that are kept, or write failed: abstain in "
            "bases.yaml",
            why,
        )

    def request_body(self, request: Request) -> dict[str, Any]:
        """Return a request in the words of the protocol; values that are None are left out."""
        body = {
            "model": self.base["model"],
            "temperature": request.temperature,
            "seed": request.seed,
        }
        body["messages"] = [{"role": role, "content": text} for role, text in request.messages]
        body[self.base.get("limit", "max_tokens")] = request.max_tokens
        if request.schema is not None and self.base.get("structured", True):
            form = {"name": "answer", "strict": True, "schema": request.schema}
            body["response_format"] = {"type": "json_schema", "json_schema": form}
        return {key: value for key, value in body.items() if value is not None}

    def seconds_to_wait(self, fault: openai.APIStatusError, wait: float) -> float:
        """Return the seconds before the next try after an error status.

        Parameters
        ----------
        fault
            The error.
        wait
            Seconds to wait if the server does not ask for more.

        Raises
        ------
        RequestFailed
            If another try of this request cannot help.
        ValueError
            If no request will get an answer, or the server asks to wait too long.
        """
        status = fault.status_code
        if status in (401, 403):
            key = (
                f"the key in {self.base['key']}"
                if "key" in self.base
                else "key in bases.yaml, which names none"
            )
            raise ValueError(
                f"{self.where} denies access (status {status}): correct {key}"
            ) from None
        if status == 404 or 300 <= status < 400:
            raise ValueError(
                f"{self.where} does not serve {self.base['model']} (status {status}): "
                "correct url or model in bases.yaml"
            ) from None
        if status not in RETRY_STATUSES and status < 500:
            # Only a code is shown, because the message may repeat the post.
            is_code = re.fullmatch(r"[a-z_]{1,40}", str(fault.code or ""))
            why = f"status {status}, {fault.code}" if is_code else f"status {status}"
            raise RequestFailed(
                f"{self.where} refuses a request ({why}): correct the base in bases.yaml, or "
                "write failed: abstain there",
                why,
            ) from None
        requested = retry_after_seconds(fault.response.headers.get("retry-after"))
        if requested > PATIENCE:
            raise ValueError(
                f"{self.where} asks to wait {requested:.0f} seconds (status {status}): run again "
                "after that, which continues from the answers that are kept"
            ) from None
        return max(wait, requested)


def api_key(base: Mapping[str, Any]) -> str:
    """Return the key in the environment variable that the base names.

    A base without `key` gets the word none, because the client would otherwise send the content of
    OPENAI_API_KEY. Raise `ValueError` if the variable is not set or cannot be a key.
    """
    if "key" not in base:
        return "none"
    key = os.environ.get(base["key"], "").strip()
    if not key or not key.isascii() or not key.isprintable():
        state = "contains characters that no key has" if key else "is not set"
        raise ValueError(
            f"base {base['base']}: the environment variable {base['key']} {state}: "
            "write the server's key into it"
        )
    return key


def parse_completion(text: str, body: Mapping[str, Any]) -> Reply:
    """Return the reply in a chat completion; raise `ValueError` if the text is none.

    Parameters
    ----------
    text
        The body of the response.
    body
        The request, of which tokens are estimated if the server does not count them.
    """
    try:
        content = json.loads(text)
        (choice, *_), usage = content["choices"], content.get("usage") or {}
        message = choice["message"]
        answer, finish = message.get("content") or "", choice.get("finish_reason") or "stop"
        if message.get("refusal"):
            finish = "refusal"
        letters = sum(len(turn["content"]) for turn in body["messages"])
        read = usage.get("prompt_tokens") or math.ceil(letters / LETTERS_PER_TOKEN)
        written = usage.get("completion_tokens") or math.ceil(len(answer) / LETTERS_PER_TOKEN)
        return Reply(str(answer), str(finish), int(read), int(written))
    except (KeyError, TypeError, AttributeError, RecursionError):
        raise ValueError("no chat completion") from None


def retry_after_seconds(header: str | None) -> float:
    """Return the seconds that a Retry-After header asks for, 0 if it asks for none.

    Examples
    --------
    >>> retry_after_seconds("1.5"), retry_after_seconds(None)
    (1.5, 0.0)
    """
    if not header:
        return 0.0
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(header).timestamp() - time.time())
    except (ValueError, OverflowError):
        return 0.0


def wait_unless_stopped(seconds: float) -> None:
    """Wait, at most until a signal asks the job to stop."""
    end = time.monotonic() + seconds
    while not signals.is_stop_requested() and (left := end - time.monotonic()) > 0:
        time.sleep(min(left, 0.2))
