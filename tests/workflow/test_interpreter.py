"""Snakemake called by its path: its jobs use its own interpreter.

A missing package is reported at the start.

"""

import os
import subprocess
import sys
from pathlib import Path

from tree import copy_of_tree, snakemake


def test_jobs_take_the_interpreter_of_snakemake_where_no_environment_is_activated(tmp_path):
    tree, other = copy_of_tree(tmp_path / "tree"), tmp_path / "bin/python"
    other.parent.mkdir()
    other.write_text("#!/bin/sh\necho No module named pandas >&2\nexit 1\n")
    other.chmod(0o755)
    environment = {
        key: value for key, value in os.environ.items() if key not in ("VIRTUAL_ENV", "PYTHONPATH")
    }
    environment["PATH"] = f"{other.parent}:/usr/bin:/bin"
    command = [
        Path(sys.executable).parent / "snakemake",
        "--cores",
        "1",
        "results/base/linear/model.json",
    ]
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tree / "results/base/linear/model.json").is_file()


def test_a_missing_package_is_told_in_one_sentence_before_any_job(tmp_path):
    tree = copy_of_tree(tmp_path)
    with (tree / "requirements.txt").open("a") as file:
        file.write("no-such-package==1.0  # for this test\n")
    done = snakemake(tree, "-n")
    said = [line for line in done.stderr.splitlines() if "no-such-package" in line]
    assert done.returncode == 1 and len(said) == 1, done.stdout + done.stderr
    assert said[0].startswith(
        f"Nothing was run: {sys.executable} lacks no-such-package of requirements.txt; run `make "
        "env`"
    )
    assert "Traceback" not in done.stderr
