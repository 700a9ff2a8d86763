"""Options read from a spec, and that the dataclasses of all verbs hold what the schema and the spec
say.
"""

from dataclasses import FrozenInstanceError, dataclass

import pytest

from postgrad.records.options import read_options


@dataclass(frozen=True)
class Both:
    node: str
    lambda_: list
    most: int | None = None


def test_options_are_read_once_and_stay():
    found = read_options(Both, {"lambda": [1], "node": "plain"})
    assert (
        found == Both("plain", [1])
        and read_options(Both, {"node": "n", "lambda": [], "most": 3}).most == 3
    )
    with pytest.raises(FrozenInstanceError):
        found.node = "other"


@pytest.mark.parametrize(
    "spec, sentence",
    [
        ({"node": "plain"}, "the spec of plain lacks 'lambda'"),
        (
            {"node": "plain", "lambda": [], "mots": 1},
            "the spec of plain has the unknown key 'mots'; did you mean 'most'?",
        ),
        (
            {"node": "plain", "lambda": [], "x": 1},
            "the spec of plain has the unknown key 'x'; remove it; the valid",
        ),
        ({"node": "plain", "lambda_": []}, "the spec of plain lacks 'lambda'"),
        ({}, "the spec of this job lacks 'node'"),
    ],
)
def test_a_key_that_is_missing_or_unknown_is_named(spec, sentence):
    with pytest.raises(ValueError) as fault:
        read_options(Both, spec)
    assert str(fault.value).startswith(sentence)


@dataclass(frozen=True)
class Part:
    file: str | None = None
    words: str | list[str] | None = None


@dataclass(frozen=True)
class Whole:
    parts: dict[str, Part | None]
    rows: list[Part]
    one: Part | None = None
    numbers: dict[str, list[int]] | None = None


def test_dataclasses_within_are_read_as_well():
    spec = {
        "parts": {"train": {"file": "a"}, "dev": None},
        "rows": [{}, {"words": ["x"]}],
        "one": {"words": "y"},
        "numbers": {"a": [1]},
    }
    train, rows = {"train": Part("a"), "dev": None}, [Part(), Part(words=["x"])]
    assert read_options(Whole, spec) == Whole(train, rows, Part(words="y"), {"a": [1]})
    with pytest.raises(
        ValueError,
        match="^'train' of 'parts' of the spec of this job has the unknown key 'fiel'; did",
    ):
        read_options(Whole, {"parts": {"train": {"fiel": "a"}}, "rows": []})
    with pytest.raises(
        ValueError,
        match="^'one' of the spec of this job has the unknown key 'q'; remove it; the valid",
    ):
        read_options(Whole, {"parts": {}, "rows": [], "one": {"q": 1}})
