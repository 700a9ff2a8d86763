"""Snakemake as a fork of one process that has imported it.

Snakemake's own modules take more than a CPU second to import, and a lane calls it hundreds of
times. Each call here is a process of its own, in its own folder and environment, which runs
Snakemake's command line from its start to the end of the interpreter; only the modules of Snakemake
and of other libraries are there already. The library of the tree is imported by each call anew.
"""

import atexit
import gc
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path


class ForkedSnakemake:
    """A process that forks for each call. Calls of one object follow one another."""

    def __init__(self):
        command = [sys.executable, __file__]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.server = subprocess.Popen(command, text=True, **pipes)

    def run(self, folder, *arguments, environment=None, python=sys.executable):
        """Return (the finished process, its CPU seconds) of a call of Snakemake in a folder.

        python: the interpreter that it takes itself to run by, and that its jobs call.
        """
        with tempfile.TemporaryDirectory() as told:
            call = {
                "folder": str(folder),
                "arguments": list(map(str, arguments)),
                "environment": dict(environment or os.environ),
                "told": told,
                "python": str(python),
            }
            print(json.dumps(call), file=self.server.stdin, flush=True)
            answer = json.loads(self.server.stdout.readline())
            output = [(Path(told) / name).read_text() for name in ("stdout", "stderr")]
        done = subprocess.CompletedProcess(call["arguments"], answer["code"], *output)
        return done, answer["seconds"]

    def close(self):
        self.server.stdin.close()
        self.server.wait()


_shared = []


def shared_server():
    """The server of this process, which is started by the first call that asks for it."""
    if not _shared:
        _shared.append(ForkedSnakemake())
        atexit.register(_shared[0].close)
    return _shared[0]


def serve():
    """Fork for each line of standard input. Only a fork returns, with its call."""
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        call = json.loads(line)
        child = os.fork()
        if not child:
            answers.close()
            return call
        _, status, usage = os.wait4(child, 0)
        answer = {
            "code": os.waitstatus_to_exitcode(status),
            "seconds": usage.ru_utime + usage.ru_stime,
        }
        print(json.dumps(answer), file=answers, flush=True)
    sys.exit()


def become(call):
    """Take over the folder, the environment, the files and the arguments of a call."""
    files = [os.devnull, *(os.path.join(call["told"], name) for name in ("stdout", "stderr"))]
    for number, file in enumerate(files):
        opened = os.open(file, os.O_RDWR | os.O_CREAT)
        os.dup2(opened, number)
        os.close(opened)
    os.chdir(call["folder"])
    os.environ.clear()
    os.environ.update(call["environment"])
    sys.path[0] = call["folder"]  # as `python -m snakemake` has it
    sys.argv = ["snakemake", *call["arguments"]]
    sys.executable = call["python"]


if __name__ == "__main__":
    # What Snakemake, and the library on its side, import only after their start.
    import graphlib  # noqa: F401

    import jsonschema  # noqa: F401
    import yaml  # noqa: F401
    from snakemake.cli import main  # before what follows, which imports it halfway
    from snakemake.report import html_reporter  # noqa: F401

    gc.collect()
    gc.freeze()  # a fork need not look through the modules
    become(serve())
    main()
