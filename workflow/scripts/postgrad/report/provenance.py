"""Say what a report was made from: commit, packages, seeds and digests of the files."""

import hashlib
import platform
import subprocess
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from postgrad.records.score_files import ScoreFile

PACKAGES = (
    "snakemake",
    "numpy",
    "pandas",
    "pyarrow",
    "scikit-learn",
    "torch",
    "transformers",
    "tokenizers",
    "accelerate",
    "matplotlib",
)


def input_files(options: Mapping[str, Any]) -> dict[str, str]:
    """Return {what a file is: path} of all files that were given to a program.

    Parameters
    ----------
    options
        The value of each option. A list holds paths, or lists of the words that name a path,
        followed by the path.

    Examples
    --------
    >>> input_files({"scores": ["a.json"], "flow": [["ctyun", "agreed", "b.json"]], "out": "c"})
    {'scores 1': 'a.json', 'flow ctyun agreed': 'b.json'}
    """
    files = {}
    for option, values in options.items():
        for place, value in enumerate(values if isinstance(values, list) else [], start=1):
            words = value[:-1] if isinstance(value, list) else [str(place)]
            files[" ".join([option, *words])] = value[-1] if isinstance(value, list) else value
    return files


def provenance_table(
    tree: Path | str, scores: Iterable[ScoreFile], files: Mapping[str, Path | str]
) -> dict[str, Any]:
    """Return what the page shows of its own making.

    The time of writing is not among it, so that equal inputs give an equal page; the date of the
    file tells it.

    Parameters
    ----------
    tree
        The folder of the workflow.
    scores
        The contents of the score.json files, whose predictors name their seeds.
    files
        {what a file is: its path}, of the files that the report reads.

    Returns
    -------
    dict
        `commit` and `changed` as from `commit_of_tree`, `python`, `packages` {name: version} of
        those that are installed, `seeds` {recipe: seeds}, and `files` {what a file is: digest}.
    """
    commit, changed = commit_of_tree(tree)
    return {
        "commit": commit,
        "changed": changed,
        "python": platform.python_version(),
        "packages": installed_versions(PACKAGES),
        "seeds": {
            score["recipe"]: sorted(
                {
                    entry["axes"]["seed"]
                    for entry in score["entries"]
                    if entry["axes"].get("seed") is not None
                },
                key=lambda seed: (len(str(seed)), str(seed)),
            )
            for score in scores
        },
        "files": {name: file_digest(file) for name, file in files.items()},
    }


def commit_of_tree(tree: Path | str) -> tuple[str | None, bool]:
    """Return the commit of a folder, and whether tracked files differ from it.

    The commit is read when the report is written and is no part of its spec, so a new commit makes
    no report again.

    Parameters
    ----------
    tree
        The folder.

    Returns
    -------
    commit : str or None
        None if Git is not installed or the folder is in no repository.
    changed : bool
        Whether a tracked file was changed and not committed.
    """

    def git(*words: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", "-C", str(tree), *words],
                capture_output=True,
                text=True,
                stdin=subprocess.DEVNULL,
                timeout=30,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    commit = git("rev-parse", "HEAD")
    # `git status` could wait for a lock or refresh the index of a repository that others use.
    changes = git("--no-optional-locks", "status", "--porcelain", "--untracked-files=no")
    return commit or None, bool(changes)


def installed_versions(names: Iterable[str]) -> dict[str, str]:
    """Return {name: version} of the packages that are installed."""
    versions = {}
    for name in names:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def file_digest(path: Path | str) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of a file."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
