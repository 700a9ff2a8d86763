"""Files that are told apart by a name on the command line."""

import pytest

from postgrad.runtime.cli import named_files


def test_files_stand_in_the_order_of_the_names_whatever_the_order_on_the_command_line():
    given = [["b", "2.parquet"], ["a", "1.parquet"]]
    assert list(named_files("--train", given, ["a", "b"]).items()) == [
        ("a", "1.parquet"),
        ("b", "2.parquet"),
    ]
    assert list(named_files("--train", given)) == ["b", "a"]


@pytest.mark.parametrize(
    "given, names, sentence",
    [
        ([["a", "1"], ["a", "2"]], None, "--train names a twice: 1 and 2; give it one file."),
        (
            [["a", "1"]],
            ["a", "b"],
            "--train lacks a file for b; give each name of the spec one file, and no other.",
        ),
        ([["a", "1"], ["b", "2"]], ["a"], "--train has a file for the unknown b; give each name"),
        (
            [["a", "x/dev", "1"]],
            [("a", "x/test")],
            "--train lacks a file for a x/test; give each name",
        ),
    ],
)
def test_a_name_that_is_missing_unknown_or_given_twice_is_refused(given, names, sentence):
    with pytest.raises(ValueError) as fault:
        named_files("--train", given, names)
    assert str(fault.value).startswith(sentence)
