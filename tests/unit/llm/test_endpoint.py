"""Tests of requests to a server: faults end in one sentence or an abstention; reruns continue.

The server is a real one on localhost and counts its requests.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest
from talking import GOOD, KEY, THINGS, requests, server
from tree import ROOT

from postgrad.llm import endpoint
from postgrad.llm.answer_cache import answer_counts
from postgrad.llm.client import answer_requests
from postgrad.llm.endpoint import retry_after_seconds


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr(endpoint, "FIRST_WAIT", 0.01)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


def asked(base, folder, n=4, budget=None, **options):
    return list(answer_requests(base, requests(n, **options), folder, budget))


def refusal(base, folder, n=4, budget=None, got=None):
    """Return the sentence with which the job ends. got: a list for the answers before it."""
    with pytest.raises(ValueError) as caught:
        for answer in answer_requests(base, requests(n), folder, budget):
            if got is not None:
                got.append(answer)
    sentence = str(caught.value)
    assert "\n" not in sentence and "Mathilda" not in sentence and KEY not in sentence
    assert caught.value.__suppress_context__ or caught.value.__context__ is None, (
        "a traceback would show the request"
    )
    return sentence


def test_answers_come_in_order_and_a_rerun_asks_nothing(tmp_path):
    with server() as told:
        first = asked(told.base(), tmp_path)
        assert [answer.value for answer in first] == [GOOD] * 4
        assert told.heard == THINGS[:4]
        body = told.bodies[0]
        keys = ("temperature", "seed", "max_tokens", "model")
        assert [body[key] for key in keys] == [0, 0, 256, "some-model"]
        assert body["response_format"]["json_schema"]["schema"]["required"] == ["verdict", "reason"]
        assert body["messages"][0] == {"role": "system", "content": "Is the post about rain?"}
        again = asked(told.base(), tmp_path, 5)
        assert told.heard == THINGS[:5]
    assert answer_counts(first) == {
        "answers": 4,
        "kept": 0,
        "tokens_in": 120,
        "tokens_out": 40,
        "stand_in": 0,
        "abstained": {},
    }
    assert [answer.kept for answer in again] == [True] * 4 + [False]
    gone = asked(told.base(key="NO_SUCH_KEY"), tmp_path, 5)  # neither server nor key is needed
    assert [answer.value for answer in gone] == [GOOD] * 5


# The eight faults.

# fault: (options of the base, the words that the message contains)
FAULTS = {
    "slow": ({"timeout": 0.3}, "nothing within 0.3 seconds"),
    "busy": ({}, "status 429"),
    "broken": ({}, "status 500"),
    "truncated": ({}, "the connection broke"),
    "half": ({}, "no chat completion"),
    "page": ({}, "no chat completion"),
    "nothing_chosen": ({}, "no chat completion"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_passing_fault_is_tried_again(tmp_path, fault):
    options, _ = FAULTS[fault]
    with server(lambda post, times: fault if post == "tea" and times == 1 else None) as told:
        begun = time.monotonic()
        found = asked(told.base(**options), tmp_path)
        assert [answer.value for answer in found] == [GOOD] * 4
        assert Counter(told.heard) == {"rain": 1, "tea": 2, "trains": 1, "bread": 1}
        if fault == "busy":
            assert time.monotonic() - begun >= 1, "Retry-After asks for a second"
    assert json.loads((tmp_path / "spent.json").read_text()) == {"requests": 5, "tokens": 160}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_lasting_fault_ends_in_a_sentence_and_a_rerun_continues(tmp_path, fault):
    options, words = FAULTS[fault]
    with server(lambda post, times: fault if post == "tea" and times <= 2 else None) as told:
        got = []
        sentence = refusal(told.base(tries=2, **options), tmp_path, got=got)
        assert sentence.startswith(
            f"base gpt: http://127.0.0.1:{told.port}/v1 gave no answer in 2 tries"
        )
        assert words in sentence and "run again" in sentence
        assert len(got) == 1 and told.heard == ["rain", "tea", "tea"]
        assert [answer.value for answer in asked(told.base(tries=2, **options), tmp_path)] == [
            GOOD
        ] * 4
        assert told.heard == ["rain", "tea", "tea", "tea", "trains", "bread"]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_lasting_fault_is_an_abstention_if_the_base_says_so(tmp_path, fault):
    options, words = FAULTS[fault]
    with server(lambda post, times: fault if post == "tea" and times <= 2 else None) as told:
        base = told.base(tries=2, failed="abstain", **options)
        found = asked(base, tmp_path)
        assert [answer.value for answer in found] == [GOOD, None, GOOD, GOOD]
        assert answer_counts(found)["abstained"] == {f"no answer: {words}": 1}
        assert [answer.value for answer in asked(base, tmp_path)] == [GOOD] * 4
        assert Counter(told.heard) == {"rain": 1, "tea": 3, "trains": 1, "bread": 1}


@pytest.mark.parametrize("failed", ["end", "abstain"])
def test_a_refused_connection_names_url_and_remedy(tmp_path, failed):
    with server() as told:
        base = told.base(failed=failed)
    sentence = refusal(base, tmp_path)
    assert sentence.startswith(
        f"base gpt: {base['url']} cannot be reached: start the server, or correct url in bases.yaml"
    )
    assert json.loads((tmp_path / "spent.json").read_text())["requests"] == 0
    told.start()
    assert len(asked(base, tmp_path)) == len(told.heard) == 4
    told.stop()


@pytest.mark.parametrize("failed", ["end", "abstain"])
def test_a_server_that_dies_in_mid_run(tmp_path, failed):
    with server(lambda post, times: "dead" if post == "trains" and times == 1 else None) as told:
        got = []
        assert "cannot be reached" in refusal(told.base(failed=failed), tmp_path, got=got)
        assert len(got) == 2 and told.heard == ["rain", "tea", "trains"]
        told.start()
        assert [answer.value for answer in asked(told.base(failed=failed), tmp_path)] == [GOOD] * 4
        assert told.heard == ["rain", "tea", "trains", "trains", "bread"]


UNREAD = {
    "wrong_json": "not JSON",
    "wrong_label": "does not fit the schema (properties/verdict/enum)",
    "cut": "cut at max_tokens",
    "filtered": "ended by content_filter",
}


@pytest.mark.parametrize("fault", UNREAD)
def test_an_answer_that_cannot_be_read_abstains_and_is_kept(tmp_path, fault):
    with server(lambda post, times: fault if post == "tea" and times == 1 else None) as told:
        for _ in range(2):
            found = asked(told.base(), tmp_path)
            assert [answer.value for answer in found] == [GOOD, None, GOOD, GOOD]
            assert answer_counts(found)["abstained"] == {UNREAD[fault]: 1}
            assert told.heard == THINGS[:4]
        assert [answer.value for answer in asked(told.base(ask_again=True), tmp_path)] == [GOOD] * 4
        assert told.heard == [*THINGS[:4], "tea"]


def test_asking_again_asks_once_a_run(tmp_path):
    with server(lambda post, times: "wrong_json") as told:
        twice = requests(1) * 2
        for heard in (1, 2):
            assert [
                answer.value
                for answer in answer_requests(told.base(ask_again=True), twice, tmp_path)
            ] == [None, None]
            assert len(told.heard) == heard


def test_a_fence_around_the_json_is_taken_off(tmp_path):
    with server(lambda post, times: "fenced") as told:
        assert asked(told.base(), tmp_path, 1)[0].value == GOOD


# What ends at once.


def test_a_request_that_the_server_refuses(tmp_path):
    with server(lambda post, times: "refused" if post == "tea" else None) as told:
        assert "refuses a request (status 400, context_length_exceeded): " in refusal(
            told.base(), tmp_path
        )
        assert told.heard == ["rain", "tea"]
        found = asked(told.base(failed="abstain"), tmp_path)
        assert answer_counts(found)["abstained"] == {
            "no answer: status 400, context_length_exceeded": 1
        }


@pytest.mark.parametrize(
    "fault, words",
    [
        ("denied", "denies access (status 401): correct the key in GPT_KEY"),
        ("elsewhere", "does not serve some-model (status 307): correct url or model"),
        ("closed_for_today", "asks to wait 86400 seconds (status 429): run again after that"),
    ],
)
def test_faults_that_no_second_try_can_help_end_at_once(tmp_path, monkeypatch, fault, words):
    monkeypatch.setenv("GPT_KEY", KEY)
    with server(lambda post, times: fault) as told:
        assert words in refusal(told.base(key="GPT_KEY", failed="abstain"), tmp_path)
        assert told.heard == ["rain"] and told.keys == [f"Bearer {KEY}"]


@pytest.mark.parametrize(
    "value", [None, "", "  ", "sk-\N{LEFT DOUBLE QUOTATION MARK}secret", "sk-se\ncret"]
)
def test_a_key_that_is_none_is_not_shown(tmp_path, monkeypatch, value):
    monkeypatch.setenv("OPENAI_API_KEY", "of another server")
    if value is not None:
        monkeypatch.setenv("GPT_KEY", value)
    with server() as told:
        sentence = refusal(told.base(key="GPT_KEY"), tmp_path)
        assert "the environment variable GPT_KEY" in sentence and "cret" not in sentence
        assert told.heard == []
        asked(told.base(), tmp_path, 1)
        assert told.keys == ["Bearer none"]


def test_nothing_of_post_or_key_is_logged(tmp_path):
    """Nothing is logged even if the client is asked to log everything."""
    code = (
        "import json, sys; from talking import requests\n"
        "from postgrad.llm.client import answer_requests\n"
        "print(len(list(answer_requests(json.loads(sys.argv[1]), requests(), sys.argv[2]))))"
    )
    with server(lambda post, times: "broken" if times == 1 else None) as told:
        base = told.base(key="GPT_KEY")
        done = child(code, base, tmp_path, GPT_KEY=KEY, OPENAI_LOG="debug").communicate(timeout=60)
    assert done[0].strip() == "4" and Counter(told.heard) == dict.fromkeys(THINGS[:4], 2)
    assert not any(word in done[0] + done[1] for word in ("Mathilda", KEY, "Is the post"))


def child(code, base, folder, **environment):
    command = [sys.executable, "-c", code, json.dumps(base), str(folder)]
    paths = os.pathsep.join([f"{ROOT}/workflow/scripts", f"{ROOT}/tests"])
    return subprocess.Popen(
        command,
        env={**os.environ, "PYTHONPATH": paths, **environment},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


# Kills, stops and budgets.

TOLD = """
import json, sys
from talking import requests
from postgrad.llm.client import answer_requests
from postgrad.runtime.signals import handle_stop_signals
with handle_stop_signals():
    for answer in answer_requests(json.loads(sys.argv[1]), requests(), sys.argv[2]):
        print("got", flush=True)
"""


def until(told, n):
    end = time.monotonic() + 60
    while len(told.heard) < n and time.monotonic() < end:
        time.sleep(0.02)
    assert len(told.heard) == n


def test_a_killed_run_continues_where_it_was(tmp_path):
    with server(lambda post, times: "late" if post == "trains" and times == 1 else None) as told:
        one = child(TOLD, told.base(), tmp_path)
        until(told, 3)
        one.kill()
        assert one.communicate(timeout=30)[0].split() == ["got"] * 2
        assert [answer.value for answer in asked(told.base(), tmp_path)] == [GOOD] * 4
        assert told.heard == ["rain", "tea", "trains", "trains", "bread"], (
            "only the request that was under way is sent again"
        )


def test_a_stopped_run_keeps_the_answer_that_is_under_way(tmp_path):
    with server(lambda post, times: "late" if post == "trains" and times == 1 else None) as told:
        one = child(TOLD, told.base(), tmp_path)
        until(told, 3)
        one.send_signal(signal.SIGTERM)
        out, said = one.communicate(timeout=30)
        assert one.returncode == 75 and out.split() == ["got"] * 3
        assert said.splitlines()[-1] == (
            "base gpt: stopped on request; a rerun continues from the answers that are kept"
        )
        assert [answer.value for answer in asked(told.base(), tmp_path)] == [GOOD] * 4
        assert told.heard == THINGS[:4]


def test_a_stop_does_not_wait_for_the_next_try(tmp_path):
    with server(lambda post, times: "broken") as told:
        one = child(
            "from postgrad.llm import endpoint\nendpoint.FIRST_WAIT = 60.0" + TOLD,
            told.base(),
            tmp_path,
        )
        until(told, 1)
        time.sleep(0.5)
        one.send_signal(signal.SIGTERM)
        one.communicate(timeout=10)
        assert one.returncode == 75


def test_two_jobs_of_one_base_ask_nothing_twice(tmp_path):
    with server() as told:
        jobs = [child(TOLD, told.base(), tmp_path / "answers" / "gpt") for _ in range(2)]
        assert [job.communicate(timeout=60)[0].split() for job in jobs] == [["got"] * 4] * 2
        assert sorted(told.heard) == sorted(THINGS[:4])


@pytest.mark.parametrize(
    "most, what",
    [({"requests": 2, "tokens": 10**6}, "requests"), ({"requests": 10**6, "tokens": 80}, "tokens")],
)
def test_a_budget_stops_and_a_larger_one_continues(tmp_path, most, what):
    with server() as told:
        for _ in range(2):  # the same budget again buys nothing
            got = []
            sentence = refusal(told.base(failed="abstain"), tmp_path, budget=most, got=got)
            told_of = f"(2 of {most['requests']} requests and 80 of {most['tokens']} tokens)"
            assert f"its budget is spent {told_of}: raise endpoints.{what} in the study" in sentence
            assert len(got) == 2 and told.heard == ["rain", "tea"]
        assert len(asked(told.base(), tmp_path, budget=most | {what: 10**6})) == 4
        assert told.heard == THINGS[:4]


def test_tries_count_in_the_budget(tmp_path):
    with server(lambda post, times: "broken") as told:
        sentence = refusal(
            told.base(failed="abstain"), tmp_path, budget={"requests": 3, "tokens": 100}
        )
        assert "3 of 3 requests" in sentence and told.heard == ["rain"] * 3


def test_retry_after_is_read_as_seconds_or_a_date():
    headers = {None: 0, "": 0, "3": 3, "1.5": 1.5, "-2": 0, "nan": 0, "soon": 0}
    assert {header: retry_after_seconds(header) for header in headers} == headers
    later = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 100))
    assert 90 < retry_after_seconds(later) <= 100


def test_values_that_are_none_are_left_to_the_server(tmp_path):
    with server() as told:
        asked(
            told.base(limit="max_completion_tokens", structured=False),
            tmp_path,
            1,
            temperature=None,
            seed=None,
        )
        assert told.bodies[0].keys() == {"model", "messages", "max_completion_tokens"}
