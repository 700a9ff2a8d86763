"""Requests to an OpenAI-compatible server, sent again where that helps.

No error shows a key, a post or a reply.
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

from postgrad.llm.answer_cache import Reply, Request, Spent, heed
from postgrad.runtime import signals

FIRST, LONGEST = (
    1.0,
    60.0,
)  # seconds before the second try; twice as long before each further one, to the longest
PATIENCE = 300.0  # seconds that a server may ask to wait; for more the job ends
AGAIN = (408, 409, 429)  # and 5xx: the same request may be answered later
LETTERS = 4  # a token's, where a server does not count them


class Failed(ValueError):
    """One request has got no answer, and others may. why: the reason in a few words."""

    def __init__(self, sentence: str, why: str) -> None:
        super().__init__(sentence)
        self.why = why


class Endpoint:
    """A server, called with a Request: its Reply.

    base: url, model, and as bases.yaml describes them key, timeout, tries, structured and limit;
    `base` is its name. spent: counts each try before it is sent. Calling raises Failed for one
    request, ValueError where none will do.
    """

    def __init__(self, base: Mapping[str, Any], spent: Spent) -> None:
        self.base, self.spent = base, spent
        self.where = f"base {base['base']}: {base['url']}"
        self.timeout = base.get("timeout", 120)
        self.client = openai.OpenAI(
            base_url=base["url"],
            api_key=secret(base),
            max_retries=0,  # its own tries would not be counted
            timeout=openai.Timeout(self.timeout, connect=min(self.timeout, 10)),
            # A redirection would carry the post to a server that nobody named.
            http_client=openai.DefaultHttpxClient(follow_redirects=False),
        )

    def __call__(self, request: Request) -> Reply:
        body, tries = self.body(request), self.base.get("tries", 6)
        for tried in range(1, tries + 1):
            heed(self.base["base"])
            self.spent.send()
            wait = min(FIRST * 2 ** (tried - 1), LONGEST)
            try:
                return reply_in(
                    self.client.chat.completions.with_raw_response.create(
                        **body
                    ).http_response.text,
                    body,
                )
            except openai.APIStatusError as fault:
                why, wait = f"status {fault.status_code}", self.waiting(fault, wait)
            except openai.APITimeoutError:
                why = f"nothing within {self.timeout:g} seconds"
            except openai.APIConnectionError as fault:
                if type(fault.__cause__).__name__ == "ConnectError":
                    self.spent.add("requests", -1)  # nothing was sent
                    raise ValueError(f"{self.where} is not reached: start the server, or mend url in bases.yaml, and "
                                     "run again, which goes on from the answers that are kept") from None  # fmt: skip
                why = "the connection broke"
            except ValueError:
                why = "no chat completion"
            if tried < tries:
                pause(wait)
        raise Failed(f"{self.where} gave no answer in {tries} tries (the last: {why}): run again later, which goes on "
                     "from the answers that are kept, or write failed: abstain in bases.yaml", why)  # fmt: skip

    def body(self, request: Request) -> dict[str, Any]:
        """The request as the protocol names it; what is None is left to the server."""
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

    def waiting(self, fault: openai.APIStatusError, wait: float) -> float:
        """The seconds before a next try after an error's status.

        An error where no further try helps.
        """
        status = fault.status_code
        if status in (401, 403):
            key = (
                f"the key in {self.base['key']}"
                if "key" in self.base
                else "key in bases.yaml, which names none"
            )
            raise ValueError(f"{self.where} denies access (status {status}): mend {key}") from None
        if status == 404 or 300 <= status < 400:
            raise ValueError(f"{self.where} does not serve {self.base['model']} (status {status}): mend url or model "
                             "in bases.yaml") from None  # fmt: skip
        if status not in AGAIN and status < 500:
            named = re.fullmatch(
                r"[a-z_]{1,40}", str(fault.code or "")
            )  # its message may repeat the post
            why = f"status {status}, {fault.code}" if named else f"status {status}"
            raise Failed(f"{self.where} refuses a request ({why}): mend the base in bases.yaml, or write failed: "
                         "abstain there", why) from None  # fmt: skip
        asked = retry_after(fault.response.headers.get("retry-after"))
        if asked > PATIENCE:
            raise ValueError(f"{self.where} asks to wait {asked:.0f} seconds (status {status}): run again then, which "
                             "goes on from the answers that are kept") from None  # fmt: skip
        return max(wait, asked)


def secret(base: Mapping[str, Any]) -> str:
    """The key, from the environment variable that the base names.

    Servers that want none get a word.
    """
    if "key" not in base:
        return "none"  # else the client would send what OPENAI_API_KEY holds
    key = os.environ.get(base["key"], "").strip()
    if not key or not key.isascii() or not key.isprintable():
        state = "holds letters that no key has" if key else "is not set"
        raise ValueError(f"base {base['base']}: the environment variable {base['key']} {state}: write the server's key "
                         "into it")  # fmt: skip
    return key


def reply_in(text: str, body: Mapping[str, Any]) -> Reply:
    """The Reply in a chat completion; ValueError where it is none."""
    try:
        content = json.loads(text)
        (choice, *_), usage = content["choices"], content.get("usage") or {}
        message = choice["message"]
        answer, finish = message.get("content") or "", choice.get("finish_reason") or "stop"
        if message.get("refusal"):
            finish = "refusal"
        asked = sum(len(turn["content"]) for turn in body["messages"])
        read = usage.get("prompt_tokens") or math.ceil(asked / LETTERS)
        written = usage.get("completion_tokens") or math.ceil(len(answer) / LETTERS)
        return Reply(str(answer), str(finish), int(read), int(written))
    except (KeyError, TypeError, AttributeError, RecursionError):
        raise ValueError("no chat completion") from None


def retry_after(header: str | None) -> float:
    """Seconds that a Retry-After header asks for, as a number or a date.

    0 where it asks for none.
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


def pause(seconds: float) -> None:
    """Wait, or until the job is told to stop."""
    end = time.monotonic() + seconds
    while not signals.wanted() and (left := end - time.monotonic()) > 0:
        time.sleep(min(left, 0.2))
