"""Tests of requests to the server of transformers, with a tiny model behind it."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import made
import pytest
from talking import requests

from postgrad.llm.answer_cache import answer_counts
from postgrad.llm.client import answer_requests

TEMPLATE = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}assistant:"
SERVE = """
import sys
from transformers.cli.serve import Serve
Serve(force_model=sys.argv[1], device="cpu", host="127.0.0.1", port=int(sys.argv[2]))
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Yield the base of a running server, which is offline and ends with the tests."""
    folder = made.made_base(tmp_path_factory.mktemp("served") / "tiny", "causal")
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"chat_template": TEMPLATE}))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-c", SERVE, str(folder), str(port)]
    with open(folder.parent / "log", "wb") as log:
        process = subprocess.Popen(
            command, env=os.environ | {"HF_HUB_OFFLINE": "1"}, stdout=log, stderr=log
        )
    try:
        end = time.monotonic() + 180
        while not healthy(port):
            assert process.poll() is None and time.monotonic() < end, (
                folder.parent / "log"
            ).read_text()
            time.sleep(0.5)
        yield {
            "base": "tiny",
            "kind": "endpoint",
            "url": f"http://127.0.0.1:{port}/v1",
            "model": str(folder),
        }
    finally:
        process.kill()
        process.wait()


def healthy(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as reply:
            return reply.status == 200
    except OSError:
        return False


def test_a_real_server_answers_and_its_answers_are_kept(tmp_path, served):
    asked = requests(3, schema=None, max_tokens=8)
    found = list(answer_requests(served, asked, tmp_path))
    assert all(answer.text and answer.tokens_in > 10 and answer.tokens_out == 8 for answer in found)
    assert answer_counts(found)["abstained"] == {"cut at max_tokens": 3}
    again = list(answer_requests(served | {"url": "http://127.0.0.1:9/v1"}, asked, tmp_path))
    assert [(answer.text, answer.kept) for answer in again] == [
        (answer.text, True) for answer in found
    ]
    assert [answer.text for answer in answer_requests(served, asked, tmp_path / "anew")] == [
        answer.text for answer in found
    ]


def test_a_real_server_is_asked_for_a_schema(tmp_path, served):
    """The server ignores schemas, and a tiny model writes no JSON, so that it abstains."""
    found = list(answer_requests(served, requests(2, max_tokens=8), tmp_path))
    assert [answer.value for answer in found] == [None, None]
    assert answer_counts(found)["abstained"] == {"cut at max_tokens": 2}
    log = Path(served["model"]).with_name("log").read_text()
    assert "unsupported fields in the request: {'response_format'}" in log


def test_a_real_server_names_its_fault(tmp_path, served):
    with pytest.raises(ValueError, match=r"base tiny: .* refuses a request \(status 400\)"):
        list(answer_requests(served | {"model": "another"}, requests(1), tmp_path))
