"""provenance: commit and cleanness from Git, and nothing that differs between equal runs."""

import hashlib
import subprocess

import pytest

from postgrad.report.provenance import commit_of_tree, file_digest, provenance_table

SCORE = {
    "recipe": "r",
    "entries": [{"axes": {"seed": seed}} for seed in ("10", "2", "2")] + [{"axes": {}}],
}


def git(folder, *words):
    name = ["-c", "user.name=a", "-c", "user.email=a@b"]
    done = subprocess.run(["git", "-C", folder, *name, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_commit_and_whether_tracked_files_changed(tmp_path):
    git(tmp_path, "init", "-q")
    (tmp_path / "a").write_text("1")
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "-qm", "one")
    (tmp_path / "results").write_text("untracked files are no change")
    commit = git(tmp_path, "rev-parse", "HEAD")
    assert commit_of_tree(tmp_path) == (commit, False)
    (tmp_path / "a").write_text("2")
    assert commit_of_tree(tmp_path) == (commit, True)


@pytest.mark.parametrize("path", ["", None])
def test_without_git_or_a_repository_there_is_no_commit(tmp_path, monkeypatch, path):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    if path is not None:
        monkeypatch.setenv("PATH", path)
    assert commit_of_tree(tmp_path) == (None, False)


def test_seeds_packages_and_digests_are_named(tmp_path):
    (tmp_path / "ledger.parquet").write_bytes(b"rows")
    table = provenance_table(tmp_path, [SCORE], {"ledger rain": tmp_path / "ledger.parquet"})
    assert table["seeds"] == {"r": ["2", "10"]} and "numpy" in table["packages"]
    assert table["files"] == {"ledger rain": hashlib.sha256(b"rows").hexdigest()[:16]}
    assert file_digest(tmp_path / "ledger.parquet") == table["files"]["ledger rain"]
    assert str(tmp_path) not in str(table), "a page of equal results is the same in every folder"
