"""Tests of templates and their texts, and of the models that a spec names."""

from postgrad.llm import stand_in
from postgrad.llm.answer_cache import Request
from postgrad.llm.client import ask_functions
from postgrad.llm.templates import draw_examples, fill_messages, label_definitions

PROMPT = {"system": "Say {label}.", "user": 'As {"verdict": true}:\n{text}'}


def test_fields_are_filled_in_once_and_other_braces_stay():
    found = fill_messages(
        PROMPT, {"label": "yes", "text": "a {label} in braces, and {}", "unused": "x"}
    )
    assert found == (
        ("system", "Say yes."),
        ("user", 'As {"verdict": true}:\na {label} in braces, and {}'),
    )


def test_labels_are_defined_a_line_each():
    assert (
        label_definitions([{"name": "no"}, {"name": "yes", "about": "it rains"}])
        == "- no\n- yes: it rains"
    )


def test_examples_depend_on_seed_and_ids_only():
    rows = [(f"p{i}", i % 2, f"text {i}") for i in range(20)] + [("q", 2, "rare")]
    found = draw_examples(rows, 3, 2, 1)
    assert [code for code, _ in found] == [0, 0, 1, 1, 2] and len(set(found)) == 5
    assert draw_examples(rows[::-1], 3, 2, 1) == found and any(
        draw_examples(rows, 3, 2, seed) != found for seed in (2, 3, 4)
    )
    assert draw_examples(rows, 3, 0, 1) == []


def test_a_spec_becomes_models_to_ask(tmp_path):
    spec = {"asked": [{"base": "stand-in", "kind": "stand-in"}]}
    reached = {"answers": str(tmp_path / "answers"), "budget": None, "bases": {"stand-in": {}}}
    ((name, ask),) = ask_functions(spec, reached).items()
    request = Request((("user", "Is it raining? No.\n\nIt rains."),), {"type": "boolean"})
    assert [(name, answer.value, answer.kept) for answer in ask([request])] == [
        ("stand-in", True, False)
    ]
    assert [answer.kept for answer in ask([request])] == [True]
    assert (
        len(list((tmp_path / "answers/stand-in").glob("*.json"))) == 2
    )  # the answer, and what was spent


def test_a_stand_in_writes_a_numbered_list():
    said = stand_in.stand_in_text(
        Request((("user", "Write 3 posts, numbered 1 to 3.\n\nrain and snow"),))
    )
    lines = said.split("\n")
    assert [line.partition(". ")[0] for line in lines] == ["1", "2", "3"] and len(set(lines)) == 3
    assert {word for line in lines for word in line.split()[1:]} <= {"rain", "and", "snow"}
