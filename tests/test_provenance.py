"""Fingerprints: what a change of code means for what reruns."""

import json

import pytest

from postgrad import provenance


@pytest.fixture
def scripts(tmp_path, monkeypatch):
    (tmp_path / "postgrad").mkdir()
    (tmp_path / "vote.py").write_text('"""Doc."""\nfrom postgrad import voting\nprint(voting.rule())\n')
    (tmp_path / "postgrad" / "voting.py").write_text("from postgrad.ties import one\n\ndef rule():\n    return one\n")
    (tmp_path / "postgrad" / "ties.py").write_text("one = 1\n")
    (tmp_path / "finetune.py").write_text("VERSION = 3\n")
    monkeypatch.setattr(provenance, "SCRIPTS", tmp_path)
    monkeypatch.setattr(provenance, "EXPENSIVE", ("finetune",))
    monkeypatch.setattr(provenance, "LOCK", tmp_path / "versions.json")
    return tmp_path


def fingerprint(verb):
    provenance.code.cache_clear()
    return provenance.code(verb)


def test_comments_docstrings_and_formatting_change_nothing(scripts):
    before = fingerprint("vote")
    (scripts / "postgrad" / "voting.py").write_text(
        'from postgrad.ties import one\n\n\ndef rule():\n    """A rule."""\n    return  one  # why\n'
    )
    assert fingerprint("vote") == before


def test_a_module_two_imports_away_counts(scripts):
    before = fingerprint("vote")
    (scripts / "postgrad" / "ties.py").write_text("one = 2\n")
    assert fingerprint("vote") != before


def test_a_template_counts(scripts):
    before = fingerprint("vote")
    (scripts / "postgrad" / "vote.html.j2").write_text("<p>")
    assert fingerprint("vote") != before


def test_an_expensive_verb_goes_by_its_version(scripts):
    assert fingerprint("finetune") == "version 3"
    (scripts / "finetune.py").write_text("VERSION = 3\nprint()\n")
    assert fingerprint("finetune") == "version 3"


def test_an_expensive_verb_without_a_version_is_a_fault(scripts):
    (scripts / "finetune.py").write_text("print()\n")
    with pytest.raises(ValueError, match="declares no VERSION"):
        fingerprint("finetune")


def test_a_changed_tree_is_told_until_version_or_lock_is_touched(scripts):
    provenance.LOCK.write_text(json.dumps(provenance.versions()))
    assert provenance.unconfirmed() == []
    (scripts / "finetune.py").write_text("VERSION = 3\nprint(1)\n")
    (sentence,) = provenance.unconfirmed()
    assert "raise VERSION in workflow/scripts/finetune.py" in sentence
    (scripts / "finetune.py").write_text("VERSION = 4\nprint(1)\n")
    assert provenance.unconfirmed() == []
    (scripts / "finetune.py").write_text("VERSION = 3\nprint(1)\n")
    provenance.LOCK.write_text(json.dumps(provenance.versions()))
    assert provenance.unconfirmed() == []


def test_the_lock_is_that_of_the_tree():
    """Fails when the code of an expensive verb changed: raise its VERSION if results change, then lock again."""
    assert json.loads(provenance.LOCK.read_text()) == provenance.versions(), (
        "cd workflow/scripts; python -m postgrad.provenance"
    )
