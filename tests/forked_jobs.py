"""A `python` for the jobs of a run, which forks from one process that has imported the libraries.

PyTorch and transformers take several CPU seconds to import, in each of the hundreds of jobs of a
run of every recipe. Here a job is a process of its own, with the folder, environment, files and
arguments that Snakemake gave it, and it runs its script from the start to the end of the
interpreter. Only libraries are there already; the script and the library of the tree are read anew.

The real interpreter runs the jobs of the demo, of the small study and of the
cluster, all tests of a command line and all commands of the documents.
"""

import gc
import json
import os
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

# What Snakemake's jobs call as `python`. It hands its folder, environment, arguments and files to
# the server, passes signals on to the job, and ends as the job ends. Without site packages it
# starts in some hundredths of a second. Whatever is no script of the workflow is run as ever.
CLIENT = """#!{python} -IS
import json, os, signal, socket, sys
words = sys.argv[1:]
if not words or not words[0].startswith("workflow/scripts/"):
    os.execv({python!r}, [{python!r}, *words])
server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
call = json.dumps(dict(folder=os.getcwd(), environment=dict(os.environ), words=words)).encode()
socket.send_fds(server, [len(call).to_bytes(8)], [0, 1, 2])
server.sendall(call)
answers = server.makefile()
job = int(answers.readline())
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
    signal.signal(number, lambda number, frame: os.kill(job, number))
code = int(answers.readline())
if code < 0:
    signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
sys.exit(code)
"""


@contextmanager
def forked_jobs():
    """Start the server, and give the path of a `python` that forks from it.

    Where `python` is looked up, its folder must come first.
    """
    folder = TemporaryDirectory()  # a short name, as the address of a socket must be
    address, python = (Path(folder.name) / name for name in ("socket", "python"))
    python.write_text(CLIENT.format(python=sys.executable, address=str(address)))
    python.chmod(0o755)
    # transformers and tokenizers read these when they are imported; the scripts set them as well.
    offline = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    server = subprocess.Popen(
        [sys.executable, __file__, str(address)],
        env=os.environ | offline,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert "listening\n" in server.stdout, "the libraries could not be imported"
    try:
        yield python
    finally:
        server.kill()
        server.wait()
        folder.cleanup()


def import_libraries():
    """Import what most jobs import, except for the library of a tree."""
    import accelerate  # noqa: F401
    import deepspeed  # noqa: F401  # by accelerate, when a model is saved
    import pandas  # noqa: F401
    import pyarrow.parquet  # noqa: F401
    import sklearn.feature_extraction.text
    import sklearn.linear_model  # noqa: F401
    import torch  # noqa: F401
    from transformers import (  # noqa: F401
        AutoModelForMaskedLM,
        AutoTokenizer,
        PreTrainedModel,
        Trainer,
        TrainingArguments,
    )
    from transformers.models.bert import modeling_bert  # noqa: F401
    from transformers.models.qwen2 import modeling_qwen2, tokenization_qwen2  # noqa: F401


def serve(address):
    """Fork for each connection. Only a job returns, with its call."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen(64)
    print("listening", flush=True)
    keepers = set()  # each waits for one job; a server that waits for them has their CPU seconds
    while True:
        client, _ = listener.accept()
        keepers -= {keeper for keeper in keepers if os.waitpid(keeper, os.WNOHANG)[0]}
        if keeper := os.fork():
            keepers.add(keeper)
            client.close()
            continue
        listener.close()
        call = receive(client)
        job = os.fork()
        if not job:
            client.close()
            return call
        for file in call["files"]:
            os.close(file)
        client.sendall(f"{job}\n".encode())
        _, status = os.waitpid(job, 0)
        client.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
        os._exit(0)


def receive(client):
    """Return a client's call with the numbers of its files."""
    length, files, _, _ = socket.recv_fds(client, 8, 3)
    with client.makefile("rb") as file:
        return json.loads(file.read(int.from_bytes(length))) | {"files": files}


def become(call):
    """Take over the folder, the environment, the files and the arguments of a call."""
    for number, file in enumerate(call["files"]):
        os.dup2(file, number)
        os.close(file)
    os.chdir(call["folder"])
    os.environ.clear()
    os.environ.update(call["environment"])
    sys.argv = call["words"]
    sys.path[0] = os.path.abspath(os.path.dirname(sys.argv[0]))


def run_script():
    """Run the script of `sys.argv` as the interpreter does."""
    file, main = sys.argv[0], sys.modules["__main__"].__dict__
    code = compile(Path(file).read_bytes(), file, "exec")
    names = {"__name__": "__main__", "__file__": file, "__builtins__": __builtins__}
    main.clear()
    main.update(names)
    exec(code, main)


if __name__ == "__main__":
    import_libraries()
    gc.collect()
    gc.freeze()  # a job need not look through the libraries
    become(serve(sys.argv[1]))
    run_script()
