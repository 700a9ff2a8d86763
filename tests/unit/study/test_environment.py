"""environment: what is missing is named, and the search path starts with this interpreter."""

import os
import sys

import pytest

from postgrad.study.environment import (
    missing_packages,
    missing_packages_message,
    path_with_interpreter,
)

HERE = os.path.dirname(sys.executable)
FILE = (
    "# A comment.\npyyaml==6.0.3   # reads\nno-such-one==1.0  # one\n\n"
    "PyTest==9.2.0\nno.such_two==2.0  # two\n"
)


def test_missing_packages_are_found_by_the_names_of_distributions(tmp_path):
    (tmp_path / "requirements.txt").write_text(FILE)
    assert missing_packages(tmp_path / "requirements.txt") == ["no-such-one", "no.such_two"]


def test_one_sentence_names_packages_file_and_remedy(tmp_path):
    (tmp_path / "requirements.txt").write_text(FILE)
    sentence = missing_packages_message(tmp_path / "requirements.txt")
    assert (
        f"{sys.executable} lacks no-such-one, no.such_two of requirements.txt" in sentence
        and "make env" in sentence
    )
    assert "\n" not in sentence


def test_nothing_is_said_where_nothing_is_missing(tmp_path):
    (tmp_path / "requirements.txt").write_text(
        "pyyaml==0.0.1  # another version is no missing package\n"
    )
    assert missing_packages_message(tmp_path / "requirements.txt") is None


@pytest.mark.parametrize(
    "path, expected",
    [
        ("/usr/bin:/bin", f"{HERE}:/usr/bin:/bin"),
        (f"/usr/bin:{HERE}", f"{HERE}:/usr/bin:{HERE}"),
        (f"{HERE}:/usr/bin", f"{HERE}:/usr/bin"),
        ("", HERE),
    ],
)
def test_the_folder_of_this_interpreter_comes_first(path, expected):
    assert path_with_interpreter(path) == expected
