"""Answers of language models: behind an endpoint, in a folder of this machine, or a stand-in.

An answer that is kept costs nothing: no server is called and no model is loaded unless a request is
new.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from postgrad.llm import stand_in
from postgrad.llm.answer_cache import (
    Answer,
    AnswerFolder,
    Reply,
    Request,
    Spending,
    answer_key,
    parse_reply,
    stop_if_requested,
)
from postgrad.models.model_folder import model_key, read_model_record
from postgrad.runtime import signals
from postgrad.runtime.locks import hold_lock


def answer_requests(
    base: Mapping[str, Any],
    requests: Iterable[Request],
    folder: Path | str,
    budget: Mapping[str, int] | None = None,
) -> Iterator[Answer]:
    """Yield an answer for each request, in order, one at a time.

    A reply that is not JSON or does not fit the schema is an abstention, and is kept like any other
    reply, because it was paid for. With the base's `ask_again: true`, the next run sends such
    requests again.

    If a signal asks the job to stop, the answer that is under way is kept, and the process ends
    with exit code 75. A rerun continues from the answers that are kept.

    Parameters
    ----------
    base
        `base`, its name; `kind`; and what bases.yaml says of an endpoint, or the folder, threads,
        attention and precision of a causal model.
    requests
        The requests.
    folder
        Where answers are kept, below work/: one folder for a base in a study. Other jobs that ask
        the same base wait until this one ends.
    budget
        The most requests and tokens that this folder may ever spend. Default: no limit.

    Raises
    ------
    ValueError
        If the server cannot be reached, denies access, or gives no answer after all tries, or if
        the budget is spent. With `failed: abstain`, a request without an answer is an abstention
        that is not kept, and the next request follows.
    """
    with hold_lock(folder), signals.deferred_stop_signals():
        answers, identity, reply_to = AnswerFolder(folder), base_identity(base), None
        spending = Spending(answers, base["base"], budget)
        asked: set[str] = set()
        for request in requests:
            stop_if_requested(base["base"])
            name = answer_key(identity, request)
            reply, is_new = answers.read_reply(name), False
            is_unparsed = (
                reply is not None
                and name not in asked
                and parse_reply(reply, request.schema)[0] is None
            )
            if reply is None or (is_unparsed and base.get("ask_again")):
                reply_to = reply_to or reply_function(base, spending)
                asked.add(name)
                try:
                    reply, is_new = reply_to(request), True
                except ValueError as fault:
                    if base.get("failed") != "abstain" or not hasattr(fault, "why"):
                        raise
                    yield Answer(None, f"no answer: {fault.why}")
                    continue
                # The reply is kept before its tokens are counted: a kill between the two loses a
                # count, and no answer.
                answers.write_reply(name, reply)
                spending.add("tokens", reply.tokens_in + reply.tokens_out)
            value, reason = parse_reply(reply, request.schema)
            is_stand_in = base["kind"] == "stand-in"
            text = f"[stand-in] {reply.text}" if is_stand_in else reply.text
            yield Answer(
                value, reason, text, reply.tokens_in, reply.tokens_out, not is_new, is_stand_in
            )


def ask_functions(
    spec: Mapping[str, Any], reached: Mapping[str, Any], models: Iterable[Path | str] = ()
) -> dict[str, Callable[[Iterable[Request]], Iterator[Answer]]]:
    """Return, for each model that a node asks, a function of requests that yields their answers.

    Parameters
    ----------
    spec
        The node's spec, with `asked`.
    reached
        How models are reached: answers (a folder), bases and budget, as a param of the rule says.
    models
        The model.json of models in folders. The spec of each names its base.

    Returns
    -------
    dict
        Name of a model -> function, in the order of the spec.
    """
    folders = {
        read_model_record(folder)["spec"]["model"]: str(folder)
        for folder in (Path(path).parent for path in models)
    }
    functions: dict[str, Callable[[Iterable[Request]], Iterator[Answer]]] = {}
    for base in spec["asked"]:
        name = base["base"]
        access = {
            **reached["bases"].get(name, {}),
            **({"folder": folders[name]} if base["kind"] == "causal" else {}),
        }
        folder = Path(reached["answers"]) / name
        functions[name] = partial(
            answer_requests, {**base, **access}, folder=folder, budget=reached["budget"]
        )
    return functions


def base_identity(base: Mapping[str, Any]) -> dict[str, Any]:
    """Return everything of a base that decides its answers, as JSON.

    An endpoint's url is left out, because the same model may move to another server. Raise
    `ValueError` if the base is of a kind that writes no text.
    """
    named = {"base": base["base"], "kind": base["kind"]}
    if base["kind"] == "endpoint":
        return named | {"model": base["model"], "structured": base.get("structured", True)}
    if base["kind"] == "causal":
        chosen = {key: base[key] for key in ("attention", "precision")}
        return named | chosen | {"sha256": model_key(base["folder"])["sha256"]}
    if base["kind"] == "stand-in":
        return named | {
            "version": stand_in.VERSION,
            **({"agrees": True} if base.get("agrees") else {}),
        }
    raise ValueError(
        f"base {base['base']} is of kind {base['kind']}, which writes no text: "
        "name one of kind endpoint, causal or stand-in"
    )


def reply_function(base: Mapping[str, Any], spending: Spending) -> Callable[[Request], Reply]:
    """Return the function of a request that returns the reply of a base."""
    if base["kind"] == "endpoint":
        from postgrad.llm.endpoint import Endpoint

        return Endpoint(base, spending)
    if base["kind"] == "causal":
        from postgrad.llm.local import LocalModel

        return LocalModel(base)
    return lambda request: Reply(
        stand_in.stand_in_text(request, base.get("agrees", False)), "stop", 0, 0
    )
