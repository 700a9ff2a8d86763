"""A server on localhost that speaks the chat protocol and fails on request, and requests for it."""

import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from postgrad.llm.answer_cache import Request

VERDICT = {
    "type": "object",
    "additionalProperties": False,
    "required": ["verdict", "reason"],
    "properties": {"verdict": {"enum": ["keep", "drop"]}, "reason": {"type": "string"}},
}
GOOD = {"verdict": "keep", "reason": "it is about rain"}
THINGS = ["rain", "tea", "trains", "bread", "snow", "books", "chairs", "songs"]
KEY = "sk-of-nobody-0123456789"


def requests(n=4, **options):
    options = {"schema": VERDICT} | options
    return [
        Request(
            (
                ("system", "Is the post about rain?"),
                ("user", f"{thing} again, said my aunt Mathilda"),
            ),
            **options,
        )
        for thing in THINGS[:n]
    ]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        server = self.server.told
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with server.counting:
            post = self.post = body["messages"][-1]["content"].split()[0]
            server.heard.append(post)
            server.bodies.append(body)
            server.keys.append(self.headers["Authorization"])
            fault = server.fault(post, server.heard.count(post))
        getattr(self, f"send_{fault or 'good'}")()

    def send(self, status, body, headers=(), length=None):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(length or len(body)))
        self.end_headers()
        self.wfile.write(body)

    def completion(self, text, finish="stop"):
        message = {"role": "assistant", "content": text}
        usage = {"prompt_tokens": 30, "completion_tokens": 10, "total_tokens": 40}
        return {
            "choices": [{"index": 0, "finish_reason": finish, "message": message}],
            "usage": usage,
        }

    def send_good(self):
        good = self.server.told.good
        self.send(200, self.completion(json.dumps(good(self.post) if callable(good) else good)))

    def send_fenced(self):
        self.send(200, self.completion(f"```json\n{json.dumps(GOOD)}\n```"))

    def send_slow(self):
        self.server.told.end.wait(20)
        self.close_connection = True

    def send_late(self):
        time.sleep(1.5)
        self.send_good()

    def send_busy(self):
        self.send(
            429, {"error": {"message": "slow down", "code": "rate_limit"}}, {"Retry-After": "1"}
        )

    def send_closed_for_today(self):
        self.send(429, {"error": {"message": "tomorrow"}}, {"Retry-After": "86400"})

    def send_broken(self):
        self.send(500, {"error": {"message": "aunt Mathilda broke it"}})

    def send_truncated(self):
        body = json.dumps(self.completion(json.dumps(GOOD))).encode()
        self.send(200, body[: len(body) // 2], length=len(body))
        self.close_connection = True

    def send_half(self):
        body = json.dumps(self.completion(json.dumps(GOOD))).encode()
        self.send(200, body[: len(body) // 2])

    def send_page(self):
        self.send(200, b"<html>a proxy's page</html>")

    def send_nothing_chosen(self):
        self.send(200, {"choices": []})

    def send_wrong_json(self):
        self.send(200, self.completion("I would keep this post about aunt Mathilda."))

    def send_wrong_label(self):
        self.send(200, self.completion(json.dumps(GOOD | {"verdict": "aunt Mathilda"})))

    def send_cut(self):
        self.send(200, self.completion('{"verdict": "ke', "length"))

    def send_filtered(self):
        self.send(200, self.completion("", "content_filter"))

    def send_refused(self):
        self.send(
            400,
            {"error": {"message": "aunt Mathilda is too long", "code": "context_length_exceeded"}},
        )

    def send_denied(self):
        self.send(401, {"error": {"message": f"wrong key {KEY}"}})

    def send_elsewhere(self):
        self.send(307, {}, {"Location": "http://localhost:9/v1/chat/completions"})

    def send_dead(self):
        """The server is gone in the middle of a request."""
        self.server.told.stop()
        self.close_connection = True

    def log_message(self, *words):
        pass


class Server:
    """fault(post's first word, how often it was asked): the name of a way to answer, or None for a
    good answer.

    good: that answer, or a function of a post's first word. heard: the first word of the post of
    each request; bodies and keys: what came with it.
    """

    def __init__(self, fault=lambda post, times: None, good=GOOD):
        self.good, self.fault, self.heard, self.bodies, self.keys = good, fault, [], [], []
        self.counting, self.end, self.port = threading.Lock(), threading.Event(), 0
        self.start()

    def start(self):
        self.http = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.http.daemon_threads, self.http.told, self.port = True, self, self.http.server_port
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self):
        self.http.shutdown()
        self.http.server_close()

    def base(self, **options):
        url = f"http://127.0.0.1:{self.port}/v1"
        return {"base": "gpt", "kind": "endpoint", "url": url, "model": "some-model"} | options


@contextmanager
def server(fault=lambda post, times: None, good=GOOD):
    made = Server(fault, good)
    try:
        yield made
    finally:
        made.end.set()
        made.stop()
