"""Copies of the tree, and Snakemake in them: a test never touches results of the tree it stands in."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PLUGIN = Path(sys.prefix) / "slurm"  # what submits jobs, put there by `make test`: see requirements-slurm.txt


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


def snakemake(folder, *arguments):
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HF_HUB_OFFLINE": "1",
    }
    if "slurm" in arguments:
        environment["PYTHONPATH"] = str(PLUGIN)
    return subprocess.run(
        [sys.executable, "-m", "snakemake", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
