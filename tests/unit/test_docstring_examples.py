"""The examples in the docstrings of the library give what they show."""

import doctest
import importlib

import pytest
from tree import ROOT

LIBRARY = ROOT / "workflow/scripts"
MODULES = [
    ".".join(path.relative_to(LIBRARY).with_suffix("").parts)
    for path in sorted(LIBRARY.glob("postgrad/*/*.py"))
    if ">>> " in path.read_text()
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_docstrings_are_true(name):
    found = doctest.testmod(importlib.import_module(name))
    assert found.attempted > 0
    assert found.failed == 0, f"{found.failed} of {found.attempted} examples, see above"


def test_some_modules_have_examples():
    assert len(MODULES) >= 5
