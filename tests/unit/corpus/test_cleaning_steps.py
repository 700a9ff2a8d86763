"""The named steps of cleaning, their gates, and the counts of what they changed."""

import html
import random
import re
import time
import unicodedata

import emoji
import ftfy
import pytest
from ftfy.badness import BADNESS_RE, MOJIBAKE_CATEGORIES

from postgrad.config.schemas import read_schema
from postgrad.corpus import cleaning_steps
from postgrad.corpus.cleaning_steps import (
    DEFAULT_STEPS,
    MOST_MARKS,
    NOTHING,
    STEPS,
    Cleaner,
    clean_text,
    limit_marks,
    resolve_entities,
)

# Of the planes that have emoji, combining marks, control characters, or upper and lower case.
EVERY_CHARACTER = [chr(code) for code in [*range(0x20000), *range(0xE0000, 0xE0200)]]
CONTROL = dict.fromkeys(
    code
    for code in [*range(0x20), *range(0x7F, 0xA0), 0xFEFF, *range(0xD800, 0xE000)]
    if not chr(code).isspace()
)


def text_before_the_steps(text):
    """What cleaning did before its steps had names."""
    text = unicodedata.normalize("NFC", html.unescape(text or ""))
    text = re.sub(r"\s+", " ", text.translate(CONTROL)).strip()
    seen = text.strip("\u200b\u200c\u200d\u2060\ufeff\ufe0f ")
    return text if seen and text not in NOTHING else ""


# Parts of which made-up texts are composed: words, and all that a step looks for.
PARTS = [
    *("fever", "So", "soooo", "YEEES", "nooo", "ééééé", "a", "I", "1", "27", "5551234"),
    *(
        " ",
        " ",
        " ",
        "  ",
        "\n",
        "\t",
        "\r\n",
        "\u00a0",
        "\u2028",
        "\x1c",
        "\x85",
        "\x00",
        "\ufeff",
    ),
    *("\ud83d", "\u200b", "\u200d", "\ufe0f", "\u20e3", "\u0301", "\u0316", "\u0344", "e\u0301"),
    *("&amp;", "&amp;amp;", "&lt;", "&lt", "&#39;", "&#x200B;", "&", "&amp", "&#38;#38;", "&copy"),
    *("#38;", "amp;", "lt;", "&num;", "&nbsp;", "&gt;", "&quot;", ";", "&#97;mp;"),
    *("http://", "https://e.org/", "www.", "WWW.e.org", "HTTPS://", "?a=1", "/", "://"),
    *("@", "@you", "u/you", "you@e.org", "a.b@c-d.example", "u/", "@u/x", "+"),
    *("+49 170 1234567", "(555) 123-4567", "555-123-4567", "1 555.123.4567", "-", ".", "(", ")"),
    *("😴", "👍🏽", "👩‍👩‍👧", "❤️", "❤", "1️⃣", "#️⃣", "©", "🇩🇪", "🏽", "—", "…", "’", "“", "”"),
    *("Ã©", "â€™", "Â ", "Ã ", "œ", "Œ", "ðŸ˜´", "é", "ß", "Привет", "ГўВЂВ", "中文", "ǅ", "İ"),
    *("#", "#LongCovid", "#COVIDVaccine", "#long_covid", "#1", "_", "#19Ab", "nan", "#VALUE!"),
]


def made_up_texts(seed, count, longest=12):
    rng = random.Random(seed)
    return ["".join(rng.choices(PARTS, k=rng.randint(0, longest))) for _ in range(count)]


# -- the steps ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "raw", "clean"),
    [
        ("mojibake", "cafÃ© â€œyesâ€\x9d it’s ﬁne", "café “yes” it’s ﬁne"),
        ("mojibake", "a “quoted” word – and café", "a “quoted” word – and café"),
        ("entities", "&amp;#x200B;", "\u200b"),
        ("entities", "&amp;amp;amp;lt;3", "<3"),
        ("entities", "http://e.x/?a&copy=2&lt=3&amp;b &gt;", "http://e.x/?a&copy=2&lt=3&amp;b >"),
        ("entities", "&lt;www.e.org?a&reg=1&gt; a", "<www.e.org?a&reg=1> a"),
        ("entities", "https://e.org/a&lt;b", "https://e.org/a&lt;b"),
        ("entities", "https://e.org&nbsp;a", "https://e.org\u00a0a"),
        ("entities", "https://e.org&amp;#x200B;", "https://e.org\u200b"),
        ("entities", "this & that, R&D", "this & that, R&D"),
        ("mentions", "@you, @you_2, u/you; not you@e.org", "@user, @user, @user; not you@e.org"),
        ("links", "HTTPS://e.org/a?b www.e.org", "http http"),
        ("emails", "a.b+c@mail.example.org, @you", "email, @you"),
        ("phone_numbers", "+1 (555) 123-4567 or 555.123.4567", "phone or phone"),
        ("phone_numbers", "2020-12-24 1,234,567 1234567890", "2020-12-24 1,234,567 1234567890"),
        ("phone_numbers", "https://e.org/555-123-4567", "https://e.org/555-123-4567"),
        ("emoji", "tired 😴👍🏽", "tired :sleeping_face::thumbs_up_medium_skin_tone:"),
        ("emoji", "1️⃣ ❤️ 👩‍👩‍👧 – 中文", ":keycap_1: :red_heart: :family_woman_woman_girl: – 中文"),
        ("elongation", "soooo nooo ÉÉÉÉ 10000 ....", "sooo nooo ÉÉÉ 10000 ...."),
        ("case", "So ÉTÉ", "so été"),
        ("hashtags", "#LongCovid #longcovid #LongCOVID", "Long Covid longcovid Long COVID"),
        ("hashtags", "#COVID19Vaccine #long_covid #1 /#Top", "COVID19 Vaccine long covid #1 /#Top"),
        ("hashtags", "#МойКот", "Мой Кот"),
    ],
)  # fmt: skip
def test_what_each_step_does(step, raw, clean):
    assert STEPS[step].change(raw) == clean
    assert STEPS[step].may_change(raw) or raw == clean


def test_every_name_of_the_schema_is_a_step():
    key = read_schema("task")["properties"]["clean"]
    assert key["items"]["enum"] == list(STEPS) and key["default"] == list(DEFAULT_STEPS)


@pytest.mark.parametrize("step", STEPS)
def test_a_gate_is_closed_only_to_texts_that_the_step_leaves_as_they_are(step):
    change, may_change = STEPS[step].change, STEPS[step].may_change
    texts = [*made_up_texts(step, 4000), *made_up_texts(step, 2000, longest=2)]
    closed = [text for text in texts if not may_change(text)]
    assert len(closed) > 100
    assert [text for text in closed if change(text) != text] == []


@pytest.mark.parametrize("step", ["white_space", "case", "emoji"])
def test_a_gate_is_right_for_every_character(step):
    change, may_change = STEPS[step].change, STEPS[step].may_change
    texts = (f"a{char}b" for char in EVERY_CHARACTER)
    assert [text for text in texts if not may_change(text) and change(text) != text] == []


# -- the default steps are what was done before ---------------------------------------------------


def test_default_steps_change_what_was_changed_before():
    without_links = [
        text for text in made_up_texts(1, 8000) if not re.search("://|www", text, re.IGNORECASE)
    ]
    once = [text for text in without_links if html.unescape(text) == resolve_entities(text)]
    assert len(once) > 2000
    assert [text for text in once if clean_text(text) != text_before_the_steps(text)] == []


def test_white_space_is_the_same_for_every_character():
    for char in EVERY_CHARACTER:
        text = f"a{char} \n{char}b"
        assert cleaning_steps.reduce_white_space(text) == text_before_the_steps(text), ascii(char)


def test_entities_are_resolved_as_often_as_python_changes_a_text():
    for text in made_up_texts(2, 8000):
        if not re.search("://|www", text, re.IGNORECASE):
            expected, before = text, None
            while expected != before:
                expected, before = html.unescape(expected), expected
            assert resolve_entities(text) == expected, ascii(text)


def test_entities_alone_are_no_text():
    assert clean_text("&amp;#x200B;") == "" == clean_text("&amp;nbsp;")


# -- the steps agree with the packages ------------------------------------------------------------


def test_emoji_have_the_names_of_the_package():
    step = STEPS["emoji"].change
    assert all(step(sequence) == emoji.demojize(sequence) for sequence in emoji.EMOJI_DATA)
    for text in [f"a{sequence}b" for sequence in emoji.EMOJI_DATA] + made_up_texts(3, 4000):
        assert step(text) == emoji.demojize(text), ascii(text)


def test_emoji_have_no_other_character_than_the_step_looks_for():
    characters = {char for sequence in emoji.EMOJI_DATA for char in sequence}
    assert {char for char in characters if not STEPS["emoji"].may_change(char)} == {*"0123456789#*"}


def test_what_ftfy_takes_for_mojibake_passes_the_gate():
    rng = random.Random(4)
    letters = [*"".join(MOJIBAKE_CATEGORIES.values()), *"aZ ,\n", *"ÃÂŒœâ€вЂГβā√≈‚Ä×"]
    texts = ["".join(rng.choices(letters, k=4)) for _ in range(40_000)]
    bad = [text for text in texts if BADNESS_RE.search(text)]
    assert len(bad) > 1000 and all(map(STEPS["mojibake"].may_change, bad))


def test_mojibake_changes_the_encoding_only():
    for text in made_up_texts(5, 4000):
        lines = re.split("(?<=\n)", text)
        assert STEPS["mojibake"].change(text) == "".join(map(ftfy.fix_encoding, lines))


# -- hostile texts --------------------------------------------------------------------------------

HOSTILE = {
    "marks": "a" + "\u0301\u0316" * 60_000,
    "marks of other scripts": "\u05b0\u0345\u3099\U0001d165" * 30_000,
    "escaped ampersands": "&" + "amp;" * 30_000 + "lt;",
    "escaped ampersands as numbers": "&#38" + "#38" * 40_000 + ";lt;",
    "ends of links": "https://e.org/" + "&gt;" * 30_000 + "a",
    "links": "http://www." * 10_000,
    "letters before @": "a" * 120_000 + "@" + "a.b" * 100,
    "many @": "a@" * 60_000,
    "plus signs": "+1" * 60_000,
    "digits": "+" + "1 " * 60_000 + "a",
    "joined emoji": "👩\u200d" * 60_000,
    "emoji": "😴" * 120_000,
    "keycaps": "1\u20e3\u200d" * 40_000,
    "hashtags": "#" * 60_000 + "Ab" * 30_000,
    "mojibake": "Ã©â€™" * 24_000,
    "one letter": "a" * 120_000,
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_text_takes_less_than_a_second(kind):
    start = time.process_time()
    cleaner = Cleaner(list(STEPS))
    cleaner.clean(HOSTILE[kind])
    assert time.process_time() - start < 1


def test_marks_are_limited_in_long_runs_only():
    normal = "e\u0301" + "a" + "\u0316" * MOST_MARKS + " \u0e01\u0e34\u0e48"
    assert limit_marks(normal) is normal
    assert limit_marks("a" + "\u0316\u0301" * 40 + "b") == "a" + "\u0316\u0301" * 15 + "b"
    emoji_run = "😴" * 100
    assert limit_marks(emoji_run) == emoji_run


# -- a list of steps ------------------------------------------------------------------------------


def test_steps_run_in_the_order_of_the_list():
    tag = "#LongCovid"
    assert Cleaner(["hashtags", "case"]).clean(tag) == "long covid"
    assert Cleaner(["case", "hashtags"]).clean(tag) == "longcovid"


def test_each_step_counts_the_texts_that_it_changed():
    cleaner = Cleaner(["entities", "white_space", "links", "case"])
    texts = ["a &amp; b", "So  &lt;3", "so", "So  &lt;3", None, ""]
    assert [cleaner.clean(text) for text in texts] == ["a & b", "so <3", "so", "so <3", "", ""]
    assert cleaner.changed == {"entities": 3, "white_space": 2, "links": 0, "case": 2}


def test_white_space_runs_last_where_it_is_not_named():
    cleaner = Cleaner(["links"])
    assert list(cleaner.changed) == ["links", "white_space"]
    assert cleaner.clean(" see\nhttps://e.org") == "see http" and cleaner.clean("\u200b") == ""


def test_what_is_remembered_is_bounded_and_changes_no_result(monkeypatch):
    texts = made_up_texts(6, 500) * 2
    whole = Cleaner()
    expected = [whole.clean(text) for text in texts]
    assert expected == [clean_text(text) for text in texts]
    monkeypatch.setattr(cleaning_steps, "MOST_REMEMBERED", 10)
    bounded = Cleaner()
    assert [bounded.clean(text) for text in texts] == expected
    assert bounded.changed == whole.changed and len(bounded._known) <= 10
