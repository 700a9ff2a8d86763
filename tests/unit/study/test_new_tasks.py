"""The task file and the study that `make task` writes."""

from shutil import copytree

import pandas as pd
import pytest
import yaml
from tree import ROOT

from postgrad.study import new_tasks
from postgrad.study.study import Study

DATA = ROOT.parent / "shared/data"
CLASSES = ("against", "favor", "neutral")
# Public files of which a study has to follow without a word of help.
PUBLIC = (
    "caves/train.csv",
    "depression/Reddit_depression_dataset.csv",
    "dreaddit/dreaddit-train.csv",
    "dreaddit/dreaddit-test.csv",
    "nasty/real/Corona_NLP_test.csv",
    "nasty/real/covid_rumor_Twitter.csv",
    "nasty/real/davidson_labeled_data.csv",
    "nasty/real/nlp4if_arabic_train.tsv",
    "stress/Reddit_Combi.xlsx",
    "stress/Reddit_Title.xlsx",
    "stress/Twitter_Full.xlsx",
    "stress/Twitter_Non-Advert.xlsx",
    "caves",
    "tweeteval/datasets/emotion",
    "tweeteval/datasets/irony",
)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """A study keeps what it found about raw files in the folder in which it is read."""
    monkeypatch.chdir(tmp_path)


def write_posts(path, classes=CLASSES, count=60, **columns):
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pd.DataFrame(
        {
            "id": [f"{path.stem}{number}" for number in range(count)],
            "text": [f"what they think of measure {number}" for number in range(count)],
            "label": [classes[number % len(classes)] for number in range(count)],
            **columns,
        }
    )
    table.to_csv(path, index=False)


def drafted(given, data=None, name="stance", **options):
    corpus = new_tasks.find_corpus(str(given), data)
    return new_tasks.draft_task(corpus, name, options.get("text"), options.get("label"))


def content(draft, *loss):
    return yaml.safe_load(new_tasks.task_text(draft, *loss))


def study_of(draft, root, recipe="starter", **config):
    """The study of a draft whose files are written into a copy of the configuration."""
    copytree(ROOT / "config", root)
    study = new_tasks.study_text(
        draft.name, draft.corpus, recipe, new_tasks.recipe_tasks(recipe, root), "laptop"
    )
    for path, text in zip(
        new_tasks.target_files(draft.name, root), (new_tasks.task_text(draft), study)
    ):
        path.write_text(text, encoding="utf-8")
    return Study({"study": draft.name, **config}, root=root, reads_posts=True)


def test_a_task_file_says_files_columns_labels_and_metric(tmp_path):
    write_posts(tmp_path / "posts.csv")
    assert content(drafted(tmp_path / "posts.csv")) == {
        "metric": "macro_f1",
        "labels": ["against", "favor", "neutral"],
        "endpoints": False,
        "splits": {"train": {}, "dev": {}, "test": {}},
        "divide": {
            "from": "posts.csv",
            "columns": {"id": "id", "text": "text", "label": "label"},
            "parts": {"train": 0.7, "dev": 0.1, "test": 0.2},
            "seed": 1,
        },
    }


def test_comments_have_counts_and_no_post(tmp_path):
    write_posts(tmp_path / "posts.csv", mood=["good", "bad"] * 30, gold_class=["a", "b"] * 30)
    text = new_tasks.task_text(drafted(tmp_path / "posts.csv"))
    assert "  - against   # 20\n" in text and "measure 7" not in text
    assert "# label: other columns that may hold labels: gold_class.\n" in text
    assert "# Columns that are not read: mood, gold_class.\n" in text
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize(
    "classes, positive, why",
    [
        (("no", "yes", "yes"), "yes", "since no looks negative"),
        (("ham", "spam", "spam"), "ham", "since it is the rarer one"),
        ((0, 1, 1), "1", "since 0 looks negative"),
    ],
)
def test_two_classes_have_an_f1(tmp_path, classes, positive, why):
    write_posts(tmp_path / "posts.csv", classes)
    draft = drafted(tmp_path / "posts.csv")
    body, text = content(draft), new_tasks.task_text(draft)
    assert (body["metric"], body["positive"]) == ("f1", [positive])
    assert why in text.replace("\n# ", " ")
    assert study_of(draft, tmp_path / "config").task("stance")["positive"] == [positive]


def test_several_labels_of_a_post_make_a_task_of_two_classes(tmp_path):
    cells = [f"a-{n % 7} b-{n % 5}" for n in range(70)]
    cells = ["common " + cell if n % 3 == 0 else cell for n, cell in enumerate(cells)]
    write_posts(tmp_path / "posts.csv", count=70, label=cells)
    draft = drafted(tmp_path / "posts.csv")
    body = content(draft)
    assert body["divide"]["columns"]["label"] == {"column": "label", "among": "common"}
    assert (body["labels"], body["positive"]) == (["no", "yes"], ["yes"])
    assert draft.counts == {"no": 46, "yes": 24}
    assert study_of(draft, tmp_path / "config").graphs


def test_a_column_of_splits_divides_the_file(tmp_path):
    write_posts(tmp_path / "posts.csv", set=["train", "val", "test"] * 20)
    body = content(drafted(tmp_path / "posts.csv"))
    assert body["divide"]["parts"] == {"train": ["train"], "dev": ["val"], "test": ["test"]}
    assert body["divide"]["columns"]["split"] == "set" and "seed" not in body["divide"]


def test_a_folder_has_a_file_for_each_split(tmp_path):
    for split in ("train", "valid", "test"):
        write_posts(tmp_path / f"corpus/{split}.csv")
    draft = drafted(tmp_path / "corpus")
    body = content(draft)
    assert draft.corpus.folder == str(tmp_path / "corpus") and "divide" not in body
    assert {split: part["file"] for split, part in body["splits"].items()} == {
        "train": "train.csv",
        "dev": "valid.csv",
        "test": "test.csv",
    }
    body = content(drafted(tmp_path / "corpus", str(tmp_path)))
    assert body["splits"]["dev"]["file"] == "corpus/valid.csv"
    assert study_of(draft, tmp_path / "config").graphs
    write_posts(tmp_path / "corpus/train-2.csv")
    with pytest.raises(ValueError, match="found train-2.csv, train.csv for train"):
        drafted(tmp_path / "corpus")


def test_texts_and_labels_may_stand_in_files_of_lines(tmp_path):
    for split in ("train", "val", "test"):
        texts = "".join(f"what they think of {split} {number}\n" for number in range(20))
        (tmp_path / f"{split}_text.txt").write_text(texts)
        (tmp_path / f"{split}_labels.txt").write_text("0\n1\n" * 10)
    draft = drafted(tmp_path)
    assert content(draft)["splits"]["dev"] == {
        "file": "val_text.txt",
        "labels_file": "val_labels.txt",
    }
    assert study_of(draft, tmp_path / "config").graphs
    with pytest.raises(ValueError, match="has its labels in another file; give the folder"):
        drafted(tmp_path / "val_text.txt")


def test_how_a_file_is_written_is_said(tmp_path):
    write_posts(tmp_path / "posts.csv")
    path = tmp_path / "posts.csv"
    path.write_text(path.read_text().replace(",", "\t"))
    assert content(drafted(path))["divide"]["delimiter"] == "\t"
    path.write_bytes(path.read_bytes() + "x\tla caf\u00e9\tfavor\n".encode("cp1252"))
    assert "encoding" not in content(drafted(path))["divide"]
    path.write_bytes(path.read_bytes() + "y\tun caf\u00e9\tfavor\n".encode())
    body = content(drafted(path))
    assert body["divide"]["encoding"] == "cp1252" and body["clean"][0] == "mojibake"


def test_a_loss_is_allowed_with_its_reason():
    fates = [("undivided", "rejected", "no label")] * 3 + [("train", "kept", None)] * 7
    assert new_tasks.loss_to_allow(fates) == (
        0.3,
        "3 of 10 rows of the file are rejected: no label",
    )
    fates = [("dev", "rejected", "not selected")] * 5 + [("dev", "kept", None)] * 5
    assert new_tasks.loss_to_allow(fates) == (None, "")
    fates = [("dev", "rejected", "no text")] + [("dev", "kept", None)] * 9
    assert new_tasks.loss_to_allow(fates) == (None, "")


def test_the_loss_stands_in_the_file(tmp_path):
    write_posts(tmp_path / "posts.csv")
    draft = drafted(tmp_path / "posts.csv")
    text = new_tasks.task_text(draft, 0.4, "24 of 60 rows of the file are rejected: no label")
    assert "# 24 of 60 rows of the file are rejected: no label. Is this right?\n" in text
    assert yaml.safe_load(text)["allow_loss"] == 0.4


def test_too_few_posts_are_an_error():
    posts = {"train": {"a": 1, "b": 1}, "dev": {"a": 0, "b": 0}, "test": {"a": 1, "b": 0}}
    with pytest.raises(ValueError, match="x.csv: too few posts: dev would have none"):
        new_tasks.check_posts(posts, "x.csv")
    with pytest.raises(ValueError, match="no post of train would have the label b"):
        new_tasks.check_posts({"train": {"a": 1, "b": 0}}, "x.csv")


@pytest.mark.parametrize("name", ["", "My-Task", "a_b", "-a", "../a"])
def test_a_name_has_to_be_one(name):
    with pytest.raises(ValueError, match="lower-case letters, digits and hyphens"):
        new_tasks.check_names(name, ROOT / "config")
    with pytest.raises(ValueError, match="results/base holds models; choose another name"):
        new_tasks.check_names("base", ROOT / "config")


@pytest.mark.parametrize("name, kind", [("caves", "tasks"), ("demo", "studies")])
def test_a_file_that_is_there_stays(name, kind):
    with pytest.raises(ValueError, match=f"{kind}/{name}.yaml is there already and stays as it is"):
        new_tasks.check_names(name, ROOT / "config")


def test_files_that_are_not_there(tmp_path):
    with pytest.raises(ValueError, match="there is no such file or folder; correct FROM"):
        new_tasks.find_corpus(str(tmp_path / "posts.csv"), None)
    write_posts(tmp_path / "posts.csv")
    (tmp_path / "other").mkdir()
    with pytest.raises(ValueError, match="is not inside the folder .*other; correct DATA"):
        new_tasks.find_corpus(str(tmp_path / "posts.csv"), str(tmp_path / "other"))
    with pytest.raises(ValueError, match="found none for train"):
        new_tasks.find_corpus(str(tmp_path), None)


def test_a_relative_path_stays_relative(tmp_path):
    write_posts(tmp_path / "mine/posts.csv")
    corpus = new_tasks.find_corpus("mine/posts.csv", None)
    assert (corpus.folder, corpus.files) == ("mine", {"": "posts.csv"})
    assert new_tasks.find_corpus("mine/posts.csv", ".").files == {"": "mine/posts.csv"}


@pytest.mark.parametrize("file", PUBLIC)
def test_a_study_follows_from_a_public_file(tmp_path, file):
    if not (DATA / file).exists():
        pytest.skip("the public files are not here")
    draft = drafted(DATA / file)
    study = study_of(draft, tmp_path / "config")
    (recipe,) = study.recipes
    assert not study.graph(recipe).not_run and study.tasks() == ["stance"]
    assert sum(draft.counts.values()) > 500
