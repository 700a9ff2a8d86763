"""Answers of a language model: behind an endpoint, in a folder on this machine, or a rule in the
place of one.

An answer that is kept costs nothing: no server is called and no model is loaded before a request is
new.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from postgrad.llm import stand_in
from postgrad.llm.answer_cache import Answer, Kept, Reply, Request, Spent, digest, heed, judged
from postgrad.models.model_folder import model_key, read_model_record
from postgrad.runtime import signals
from postgrad.runtime.locks import held


def answers(
    base: Mapping[str, Any],
    requests: Iterable[Request],
    folder: Path | str,
    budget: Mapping[str, int] | None = None,
) -> Iterator[Answer]:
    """An Answer for each Request, in order, one at a time.

    base: `base`, its name, `kind`, and what bases.yaml says of an endpoint, or a causal model's
    folder, threads, attention and precision. folder: where answers are kept, one for a base in a
    study, under work/; other jobs that ask the same base wait for this one's end. budget:
    {requests, tokens} that this folder may ever spend.

    A reply that is no JSON or does not fit the schema abstains, and is kept like any other: it was
    paid for. A base's `ask_again: true` asks anew for such replies in the next run. ValueError, one
    sentence, where the server cannot be reached, denies access, gives no answer after all tries, or
    the budget is spent; `failed: abstain` goes on with the next request instead where only the
    answer did not come, and keeps nothing. Told to stop by a signal (see stopping), the answer that
    is on its way is kept, and the process ends with 75. A rerun goes on from what is kept.
    """
    with held(folder), signals.by_steps():
        kept, described, ask = Kept(folder), decisive(base), None
        spent = Spent(kept, base["base"], budget)
        asked: set[str] = set()
        for request in requests:
            heed(base["base"])
            name = digest(described, request)
            reply, fresh = kept.read(name), False
            unread = (
                reply is not None and name not in asked and judged(reply, request.schema)[0] is None
            )
            if reply is None or (unread and base.get("ask_again")):
                ask = ask or asker(base, spent)
                asked.add(name)
                try:
                    reply, fresh = ask(request), True
                except ValueError as fault:
                    if base.get("failed") != "abstain" or not hasattr(fault, "why"):
                        raise
                    yield Answer(None, f"no answer: {fault.why}")
                    continue
                kept.write(
                    name, reply
                )  # before it is counted: a kill between them loses a count and no answer
                spent.add("tokens", reply.tokens_in + reply.tokens_out)
            value, reason = judged(reply, request.schema)
            is_stand_in = base["kind"] == "stand-in"
            text = f"[stand-in] {reply.text}" if is_stand_in else reply.text
            yield Answer(
                value, reason, text, reply.tokens_in, reply.tokens_out, not fresh, is_stand_in
            )


def asked(
    spec: Mapping[str, Any], reached: Mapping[str, Any], models: Iterable[Path | str] = ()
) -> dict[str, Callable[[Iterable[Request]], Iterator[Answer]]]:
    """{model: a function of Requests that gives their Answers} of all that a node asks, in the
    order of its spec.

    spec: the node's, with `asked`. reached: how, as the rule's param says. models: model.json of
    those in folders, each of which says in its spec which base it is.
    """
    folders = {
        read_model_record(folder)["spec"]["model"]: str(folder)
        for folder in (Path(path).parent for path in models)
    }
    found: dict[str, Callable[[Iterable[Request]], Iterator[Answer]]] = {}
    for base in spec["asked"]:
        name = base["base"]
        means = {
            **reached["bases"].get(name, {}),
            **({"folder": folders[name]} if base["kind"] == "causal" else {}),
        }
        folder = Path(reached["answers"]) / name
        found[name] = partial(answers, {**base, **means}, folder=folder, budget=reached["budget"])
    return found


def decisive(base: Mapping[str, Any]) -> dict[str, Any]:
    """All of a base that decides its answers, as JSON.

    An endpoint's url does not: the same model may move.
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
    raise ValueError(f"base {base['base']} is of kind {base['kind']}, which writes no text: name one of kind endpoint, "
                     "causal or stand-in")  # fmt: skip


def asker(base: Mapping[str, Any], spent: Spent) -> Callable[[Request], Reply]:
    """A function of a Request that gives its Reply."""
    if base["kind"] == "endpoint":
        from postgrad.llm.endpoint import Endpoint

        return Endpoint(base, spent)
    if base["kind"] == "causal":
        from postgrad.llm.local import Local

        return Local(base)
    return lambda request: Reply(stand_in.text(request, base.get("agrees", False)), "stop", 0, 0)
