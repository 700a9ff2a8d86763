"""Copies of the tree, and Snakemake in them.

A test never touches results of the tree it stands in.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from forked_snakemake import shared_server

ROOT = Path(__file__).parents[1]
PLUGIN = (
    Path(sys.prefix) / "slurm"
)  # what submits jobs, put there by `make test-all`: see requirements-slurm.txt


def copy_of_tree(folder):
    """What git tracks or would track, without results: a clean checkout."""
    names = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    for name in names:
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


def make(folder, *arguments):
    """`make`, run to its end in a copy of the tree whose environment is the one of the tests.

    Its folder .venv is new and holds links, so that make cannot change the environment itself.
    """
    environment = folder / ".venv"
    if not environment.exists():
        environment.mkdir()
        for path in Path(sys.prefix).iterdir():
            if not path.name.startswith("."):
                (environment / path.name).symlink_to(path)
    for stamp in (".installed", ".installed-dev"):
        (environment / stamp).touch()
    return subprocess.run(["make", *arguments], cwd=folder, text=True, capture_output=True)


def snakemake(folder, *arguments, python=None):
    """Snakemake, run to its end in a copy of the tree.

    A call that starts no job spares the imports of Snakemake. So does a run whose jobs call
    `python`, which spares theirs: see forked_jobs.py.
    """
    command, options = called(folder, *arguments)
    starts_no_job = "-n" in arguments or "--summary" in arguments
    if python or (starts_no_job and "PYTHONPATH" not in options["env"]):
        server = shared_server()
        return server.run(
            folder, *arguments, environment=options["env"], python=python or sys.executable
        )[0]
    return subprocess.run(command, **options, capture_output=True)


def called(folder, *arguments, path=()):
    """(command, options for subprocess) of Snakemake in a copy of the tree.

    path: further folders to import from.
    """
    path = [*map(str, path), *([str(PLUGIN)] if "slurm" in arguments else [])]
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HF_HUB_OFFLINE": "1",
        **({"PYTHONPATH": os.pathsep.join(path)} if path else {}),
    }
    return [sys.executable, "-m", "snakemake", *arguments], {
        "cwd": folder,
        "env": environment,
        "text": True,
    }


def result_bytes(path):
    """The bytes of a result file, without what differs from run to run: the cost of its jobs."""
    content = path.read_bytes()
    if path.name == "report.html":
        content = re.sub(rb'<section id="cost">.*?</section>', b"", content, flags=re.S)
    return b"" if path.name in ("timing.json", "cost.csv") else content


def scored(folder, study="demo"):
    """{(node with its signs, dataset)} of the scores in a study's scores.txt."""
    found, dataset = set(), None
    for line in (
        (folder / f"results/{study}/scores.txt")
        .read_text()
        .partition("What each step")[0]
        .splitlines()
    ):
        words = line.split()
        if words and not line.startswith(" "):
            dataset = words[1]
        elif words:
            found.add((words[0], dataset))
    return found
