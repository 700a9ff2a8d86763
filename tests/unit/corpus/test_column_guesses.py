"""What is guessed about files of posts: how they are written, and which columns are which."""

import json
import random

import pandas as pd
import pytest

from postgrad.corpus.column_guesses import guess_corpus

WORDS = ["rain", "sun", "wind", "snow", "fog", "hail", "storm", "frost"]
CLASSES = ("against", "favor", "neutral")


def posts(count=60, classes=CLASSES):
    """A table with an id, a text and a label for each post."""
    rng = random.Random(1)
    return pd.DataFrame(
        {
            "id": [f"p{number}" for number in range(count)],
            "text": [f"post {i} of {' '.join(rng.choices(WORDS, k=6))}" for i in range(count)],
            "label": [classes[number % len(classes)] for number in range(count)],
        }
    )


def guessed(path, **options):
    return guess_corpus([(path, path.name, None)], "stance", **options)


def guessed_of(table, tmp_path, **options):
    table.to_csv(tmp_path / "posts.csv", index=False)
    return guessed(tmp_path / "posts.csv", **options)


def columns(guess):
    return guess.id, guess.text, guess.label.column


def write_semicolons(table, folder):
    table.to_csv(folder / "posts.csv", sep=";", index=False)
    return folder / "posts.csv"


def write_cp1252(table, folder):
    table["text"] += " caf\u00e9"
    table.to_csv(folder / "posts.csv", index=False, encoding="cp1252")
    return folder / "posts.csv"


def write_tabs(table, folder):
    table.to_csv(folder / "posts.tsv", sep="\t", index=False)
    return folder / "posts.tsv"


def write_json_lines(table, folder):
    table.to_json(folder / "posts.jsonl", orient="records", lines=True)
    return folder / "posts.jsonl"


def write_workbook(table, folder):
    table.to_excel(folder / "posts.xlsx", index=False)
    return folder / "posts.xlsx"


def write_parquet(table, folder):
    table.to_parquet(folder / "posts.parquet")
    return folder / "posts.parquet"


@pytest.mark.parametrize(
    "write",
    [
        write_semicolons,
        write_cp1252,
        write_tabs,
        write_json_lines,
        write_workbook,
        write_parquet,
    ],
)
def test_a_file_of_each_kind_is_read(tmp_path, write):
    guess = guessed(write(posts(), tmp_path))
    assert columns(guess) == ("id", "text", "label") and guess.rows == 60
    assert guess.label.counts == dict.fromkeys(CLASSES, 20)
    assert guess.layouts[0].delimiter == (";" if write is write_semicolons else None)
    assert guess.layouts[0].encoding is None and "encoding" not in guess.remarks


def test_a_file_of_two_encodings_is_read_as_cp1252(tmp_path):
    path = write_cp1252(posts(), tmp_path)
    path.write_bytes(path.read_bytes() + "p99,another caf\u00e9 in the rain,favor\n".encode())
    guess = guessed(path)
    assert guess.layouts[0].encoding == "cp1252" and guess.rows == 61
    assert "mojibake" in guess.remarks["encoding"]


def test_a_tsv_file_with_quoted_cells_is_seen(tmp_path):
    table = posts()
    table.loc[3, "text"] = 'a "quoted" one\nof two lines'
    table = table[["id", "label", "text"]]
    table.to_csv(tmp_path / "posts.tsv", sep="\t", index=False)
    assert guessed(tmp_path / "posts.tsv").layouts[0].quotes == "csv"


def test_columns_are_found_by_their_names(tmp_path):
    table = posts().rename(
        columns={"id": "Tweet_ID", "text": "OriginalTweet", "label": "Sentiment"}
    )
    table.insert(0, "notes", table["OriginalTweet"] + " and more words than the post itself")
    table["likes"] = range(60)
    assert columns(guessed_of(table, tmp_path)) == ("Tweet_ID", "OriginalTweet", "Sentiment")


def test_columns_are_found_by_what_they_hold(tmp_path):
    table = posts().rename(columns={"id": "one", "text": "two", "label": "three"})
    table["user"] = "someone"
    guess = guessed_of(table, tmp_path)
    assert columns(guess) == ("one", "two", "three")
    assert guess.remarks["label"] == "three is the only column with few different values"


def test_a_column_with_the_name_of_labels_may_hold_few_of_them(tmp_path):
    assert guessed_of(posts(4), tmp_path).label.counts == {"against": 2, "favor": 1, "neutral": 1}
    with pytest.raises(ValueError, match="no column looks like one of labels"):
        guessed_of(posts(4).rename(columns={"label": "x"}), tmp_path)


def test_the_longer_of_two_texts_without_a_name_is_read(tmp_path):
    table = posts().rename(columns={"text": "b"})
    table["a"] = [f"a rather short one {number}" for number in range(60)]
    guess = guessed_of(table, tmp_path)
    assert guess.text == "b" and guess.remarks["text"] == "other columns with texts: a"


def test_a_title_goes_before_the_text(tmp_path):
    table = posts()
    table["title"] = [f"the title of post {number}" for number in range(60)]
    guess = guessed_of(table, tmp_path)
    assert (guess.title, guess.text) == ("title", "text")
    assert guessed_of(table.drop(columns="text"), tmp_path).text == "title"


def test_a_column_of_ids_without_a_name_or_with_repetitions_is_not_used(tmp_path):
    for table in (posts().rename(columns={"id": ""}), posts().assign(id="author")):
        guess = guessed_of(table, tmp_path)
        assert guess.id is None and "file and line" in guess.remarks["id"]


def test_the_column_of_the_tasks_name_holds_the_labels(tmp_path):
    table = posts().rename(columns={"label": "stance"})
    table["my_class"] = ["a", "b"] * 30
    guess = guessed_of(table, tmp_path)
    assert guess.label.column == "stance"
    assert guess.remarks["label"] == "other columns that may hold labels: my_class"


def test_two_candidates_without_a_telling_name_are_an_error(tmp_path):
    table = posts().rename(columns={"label": "x"}).assign(y=["a", "b"] * 30)
    with pytest.raises(ValueError, match=r"several columns could hold the labels: x, y\. .*LABEL="):
        guessed_of(table, tmp_path)
    assert guessed_of(table, tmp_path, label="y").label.counts == {"a": 30, "b": 30}


def test_no_column_of_labels_is_an_error_that_shows_no_post(tmp_path):
    table = posts().drop(columns="label")
    with pytest.raises(ValueError) as caught:
        guessed_of(table, tmp_path)
    assert str(caught.value) == (
        "posts.csv: no column looks like one of labels, which are at least two different short "
        "values; it has id. Name the column with LABEL=column."
    )
    with pytest.raises(ValueError, match="the column text does not look like one of labels"):
        guessed_of(table.assign(body=table["text"]), tmp_path, text="body", label="text")


def test_a_column_of_which_most_cells_are_empty_holds_no_labels(tmp_path):
    table = posts().rename(columns={"label": "flair_class"})
    table.loc[20:, "flair_class"] = None
    with pytest.raises(ValueError, match="no column looks like one of labels"):
        guessed_of(table, tmp_path)


def test_no_column_of_texts_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="no column looks like one of texts; it has id, label"):
        guessed_of(posts()[["id", "label"]], tmp_path)
    with pytest.raises(ValueError, match=r"there is no column words; it has id, text, label\."):
        guessed_of(posts(), tmp_path, text="words")


def test_nested_objects_are_named_by_a_path(tmp_path):
    rows = [
        {"data": {"words": row["text"]}, "label": row["label"]} for _, row in posts().iterrows()
    ]
    path = tmp_path / "posts.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(ValueError, match="path into nested objects, such as data.text"):
        guessed(path)
    assert guessed(path, text="data.words").text == "data.words"


def test_a_file_without_a_header_is_an_error(tmp_path):
    posts().to_csv(tmp_path / "posts.csv", index=False, header=False)
    with pytest.raises(ValueError, match="does not look like the names of columns") as caught:
        guessed(tmp_path / "posts.csv")
    assert "post 0" not in str(caught.value)


def test_labels_are_merged_and_ordered(tmp_path):
    table = posts(classes=("Yes", "no", "yes"))
    assert list(guessed_of(table, tmp_path).label.counts) == ["no", "Yes"]
    table = posts(classes=("10.0", "2", "10"))
    assert guessed_of(table, tmp_path).label.counts == {"2": 20, "10": 40}


def test_several_labels_in_a_cell_are_told_apart(tmp_path):
    cells = ["rushed", "side-effect", "side-effect rushed", "religious", "rushed religious"]
    guess = guessed_of(posts(classes=cells).rename(columns={"label": "labels"}), tmp_path)
    # As few combinations as this may be classes of their own.
    assert not guess.label.is_listed
    rng = random.Random(1)
    names = [f"concern-{number}" for number in range(6)]
    table = posts(120).assign(labels=[" ".join(rng.sample(names, 3)) for _ in range(120)])
    guess = guessed_of(table.drop(columns="label"), tmp_path)
    assert guess.label.is_listed and set(guess.label.counts) == set(names)
    assert sum(guess.label.counts.values()) == 360 and guess.label.separator is None


def test_a_column_names_the_splits(tmp_path):
    table = posts().assign(set=["train", "Train", "valid", "test"] * 15)
    guess = guessed_of(table, tmp_path)
    assert guess.split == "set"
    assert guess.parts == {"train": ["Train", "train"], "dev": ["valid"], "test": ["test"]}
    guess = guessed_of(table.replace({"set": {"valid": "test"}}), tmp_path)
    assert guess.split is None and "but not dev, which the recipe needs" in guess.remarks["split"]


def test_columns_are_those_that_all_files_have(tmp_path):
    files = []
    for name in ("train", "test"):
        table = posts().assign(**{f"only_{name}": range(60)})
        table.to_csv(tmp_path / f"{name}.csv", index=False)
        files.append((tmp_path / f"{name}.csv", f"{name}.csv", None))
    guess = guess_corpus(files, "stance")
    assert guess.columns == ["id", "text", "label"] and guess.rows == 120
    assert guess.id is None  # both files count from p0
