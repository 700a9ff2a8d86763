"""Check the environment that runs the workflow: missing packages, and which `python` the jobs call.

This module is imported before all others of the library and imports the standard library only.
"""

import os
import re
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path


def missing_packages(requirements: Path | str) -> list[str]:
    """Return the packages of a requirements file that are not installed, in the order of the file.

    Versions are not compared, because a site may have another build.
    """
    missing = []
    for line in Path(requirements).read_text(encoding="utf-8").splitlines():
        if match := re.match(r"[A-Za-z0-9._-]+", line):
            try:
                distribution(match[0])
            except PackageNotFoundError:
                missing.append(match[0])
    return missing


def missing_packages_message(requirements: Path | str) -> str | None:
    """Return a message about the packages that this environment lacks, or None."""
    missing = missing_packages(requirements)
    if not missing:
        return None
    return (
        f"Nothing was run: {sys.executable} lacks {', '.join(missing)} of "
        f"{Path(requirements).name}; run `make env` and call .venv/bin/snakemake, or run "
        "`python -m pip install -r requirements.txt -c constraints.txt`."
    )


def put_interpreter_first() -> None:
    """Set PATH to `path_with_interpreter` for all jobs that this process starts."""
    os.environ["PATH"] = path_with_interpreter(os.environ.get("PATH", ""))


def path_with_interpreter(path: str) -> str:
    """Return a search path in which `python` is the running interpreter."""
    folder = os.path.dirname(sys.executable)
    folders = path.split(os.pathsep) if path else []
    return path if folders[:1] == [folder] else os.pathsep.join([folder, *folders])
