"""Fingerprints: what a change of code means for what reruns."""

import json

import pytest

from postgrad.study import fingerprints


@pytest.fixture
def scripts(tmp_path, monkeypatch):
    (tmp_path / "postgrad").mkdir()
    (tmp_path / "vote.py").write_text(
        '"""Doc."""\nfrom postgrad import voting\nprint(voting.rule())\n'
    )
    (tmp_path / "postgrad" / "voting.py").write_text(
        "from postgrad.ties import one\n\ndef rule():\n    return one\n"
    )
    (tmp_path / "postgrad" / "ties.py").write_text("one = 1\n")
    (tmp_path / "finetune.py").write_text("VERSION = 3\n")
    monkeypatch.setattr(fingerprints, "SCRIPTS", tmp_path)
    (tmp_path / "pretrain.py").write_text("VERSION = 1\n")
    monkeypatch.setattr(fingerprints, "EXPENSIVE", ("pretrain", "finetune"))
    monkeypatch.setattr(fingerprints, "LOCK", tmp_path / "versions.json")
    return tmp_path


def fingerprint(verb):
    fingerprints.code_fingerprint.cache_clear()
    fingerprints.parse_module.cache_clear()
    return fingerprints.code_fingerprint(verb)


def test_comments_docstrings_and_formatting_change_nothing(scripts):
    before = fingerprint("vote")
    (scripts / "postgrad" / "voting.py").write_text(
        'from postgrad.ties import one\n\n\ndef rule():\n    """A rule."""\n'
        "    return  one  # why\n"
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


def test_modules_count_that_a_module_looks_for_in_its_package(scripts):
    (scripts / "postgrad" / "found.py").write_text("one = 1\n")
    before = fingerprint("vote")
    (scripts / "postgrad" / "found.py").write_text("one = 2\n")
    assert fingerprint("vote") == before
    voting = scripts / "postgrad" / "voting.py"
    voting.write_text("import pkgutil\n" + voting.read_text())
    before = fingerprint("vote")
    (scripts / "postgrad" / "found.py").write_text("one = 3\n")
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
    fingerprints.LOCK.write_text(json.dumps(fingerprints.versions_of_expensive_verbs()))
    assert fingerprints.unconfirmed_message() is None
    (scripts / "finetune.py").write_text("VERSION = 3\nprint(1)\n")
    assert fingerprints.unconfirmed_message().startswith(
        "The code behind finetune changed, its VERSION did not, and nothing"
    )
    (scripts / "finetune.py").write_text("VERSION = 4\nprint(1)\n")
    assert fingerprints.unconfirmed_message() is None
    (scripts / "finetune.py").write_text("VERSION = 3\nprint(1)\n")
    fingerprints.LOCK.write_text(json.dumps(fingerprints.versions_of_expensive_verbs()))
    assert fingerprints.unconfirmed_message() is None


def test_several_changed_trees_are_told_in_one_line(scripts):
    for verb, version in (("finetune", 3), ("pretrain", 1)):
        (scripts / f"{verb}.py").write_text(f"from postgrad import ties\nVERSION = {version}\n")
    fingerprints.LOCK.write_text(json.dumps(fingerprints.versions_of_expensive_verbs()))
    (scripts / "postgrad" / "ties.py").write_text("one = 2\n")
    sentence = fingerprints.unconfirmed_message()
    assert sentence.startswith(
        "The code behind finetune and pretrain changed, their VERSION did not, and nothing"
    )
    assert "\n" not in sentence and "python -m postgrad.study.fingerprints" in sentence


def test_a_module_counts_with_its_place(scripts):
    """Two modules of one name may stand in two packages, and their contents be exchanged."""
    for package, value in (("one", 1), ("two", 2)):
        (scripts / "postgrad" / package).mkdir()
        (scripts / "postgrad" / package / "ties.py").write_text(f"value = {value}\n")
    (scripts / "vote.py").write_text("import postgrad.one.ties\nimport postgrad.two.ties\n")
    before = fingerprint("vote")
    for package, value in (("one", 2), ("two", 1)):
        (scripts / "postgrad" / package / "ties.py").write_text(f"value = {value}\n")
    assert fingerprint("vote") != before


def test_what_a_package_does_when_it_is_imported_counts(scripts):
    before = fingerprint("vote")
    (scripts / "postgrad" / "__init__.py").write_text("import postgrad.extra\n")
    (scripts / "postgrad" / "extra.py").write_text("one = 1\n")
    with_package = fingerprint("vote")
    (scripts / "postgrad" / "extra.py").write_text("one = 2\n")
    assert len({before, with_package, fingerprint("vote")}) == 3


@pytest.mark.parametrize(
    "line", ["from . import ties", "from .ties import one", "from ..postgrad import ties"]
)
def test_a_relative_import_is_refused(scripts, line):
    (scripts / "postgrad" / "voting.py").write_text(f"{line}\n")
    with pytest.raises(ValueError, match="line 1: a relative import"):
        fingerprint("vote")


def test_the_modules_behind_a_verb(scripts):
    names = {str(path.relative_to(scripts)) for path in fingerprints.modules_of_verb("vote")}
    assert names == {"vote.py", "postgrad/voting.py", "postgrad/ties.py"}


@pytest.mark.parametrize(
    "module, verbs",
    [
        (
            "evaluation/metrics",
            {"score", "compare", "report", "calibrate", "pick", "review", "finetune", "pretrain"},
        ),
        ("predictors/calibration", {"calibrate", "pick", "review", "finetune", "pretrain"}),
        ("predictors/voting", {"vote"}),
        ("augmentation/shuffling", {"augment"}),
        ("training/losses", {"pretrain", "finetune"}),
        ("evaluation/comparison", {"score", "compare", "report"}),
        ("report/page", {"report"}),
    ],
)
def test_a_module_is_read_by_the_verbs_that_need_it_and_no_other(module, verbs):
    """A change of metrics.py scores again and labels nothing.

    A training may choose its epoch by it, under VERSION.
    """
    path = fingerprints.SCRIPTS / "postgrad" / f"{module}.py"
    scripts = [script.stem for script in fingerprints.SCRIPTS.glob("*.py")]
    assert {
        verb for verb in scripts if path in fingerprints.modules_of_verb(verb)
    } == verbs.intersection(scripts)


def test_the_lock_is_that_of_the_tree():
    """Fails when the code of an expensive verb changed.

    Raise its VERSION if results change, then lock again.
    """
    assert (
        json.loads(fingerprints.LOCK.read_text()) == fingerprints.versions_of_expensive_verbs()
    ), "cd workflow/scripts; python -m postgrad.study.fingerprints"
