"""Write a task file and a study for a corpus, with what was guessed about its files as comments."""

import math
import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from postgrad.config.yaml_files import read_yaml
from postgrad.corpus.column_guesses import (
    SPLIT_WORDS,
    CorpusGuess,
    guess_corpus,
    positive_class,
    split_of_name,
)
from postgrad.corpus.readers import Layout, column_list, is_column_name

NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
MODELS = "base"  # the folder of results that all studies share
WIDTH = 92  # of a comment, which may be indented
FEW = 10  # posts of a class, below which the task file says so
SHARES = {"train": 0.7, "dev": 0.1, "test": 0.2}
PAIRED = (("text", "labels"), ("text", "label"))  # how files of lines and of labels are named
YES, NO = "yes", "no"  # the classes of a task whose posts have several labels each


@dataclass(frozen=True)
class CorpusFiles:
    """The files from which a task file is written.

    Attributes
    ----------
    given : str
        The file or the folder that the user named.
    folder : str
        The folder of the raw posts, relative as the user gave it.
    files : dict
        The path of each file below the folder, by its split. A file that has to be divided has the
        split "".
    labels : dict
        The path of the file of labels, by split, for files with a post a line.
    """

    given: str
    folder: str
    files: dict[str, str]
    labels: dict[str, str]


@dataclass(frozen=True)
class Draft:
    """What a task file says, before it is tried.

    Attributes
    ----------
    name : str
        The name of the task.
    corpus : CorpusFiles
        Its files.
    guess : CorpusGuess
        What was guessed about them.
    """

    name: str
    corpus: CorpusFiles
    guess: CorpusGuess

    @property
    def counts(self) -> dict[str, int]:
        """The number of rows of each class, in the order of the classes."""
        label = self.guess.label
        if not label.is_listed:
            return label.counts
        count = label.counts[self.among]
        return {NO: self.guess.rows - count, YES: count}

    @property
    def among(self) -> str:
        """The label that makes a post positive, where posts have several labels.

        It is the most frequent one that at most half of the posts have, or the rarest.
        """
        counts = self.guess.label.counts
        half = [name for name, count in counts.items() if count * 2 <= self.guess.rows]
        return half[0] if half else list(counts)[-1]


def draft_task(corpus: CorpusFiles, name: str, text: str | None, label: str | None) -> Draft:
    """Return the draft of a task file.

    Parameters
    ----------
    corpus
        The files.
    name
        The name of the task.
    text, label
        The columns of the texts and the labels, where the user names them.

    Raises
    ------
    ValueError
        If a file cannot be read, or if it cannot be told where texts or labels are.
    """
    folder = Path(corpus.folder)
    files = [
        (
            folder / path,
            path,
            str(folder / corpus.labels[split]) if split in corpus.labels else None,
        )
        for split, path in corpus.files.items()
    ]
    return Draft(name, corpus, guess_corpus(files, name, text, label))


def find_corpus(given: str, data: str | None) -> CorpusFiles:
    """Return the files of a corpus.

    Parameters
    ----------
    given
        A file, which is divided into splits, or a folder with a file for each of train, dev and
        test.
    data
        The folder of the raw posts. Default: the folder that holds the file, or the given folder.

    Raises
    ------
    ValueError
        If there is no such file, or if a folder does not hold one file for each split.
    """
    path = Path(given).expanduser()
    if not path.exists():
        raise ValueError(f"{given}: there is no such file or folder; correct FROM.")
    folder = Path(data).expanduser() if data else path if path.is_dir() else path.parent
    try:
        below = path.resolve().relative_to(folder.resolve())
    except ValueError:
        raise ValueError(f"{given} is not inside the folder {folder}; correct DATA.") from None
    if path.is_dir():
        files, labels = _split_files(path, given)
    else:
        files, labels = {"": path}, {}
        if _labels_beside(path) is not None:
            raise ValueError(
                f"{given} has its labels in another file; give the folder that holds train, dev "
                "and test with their labels: FROM=FOLDER."
            )
    parent = below if path.is_dir() else below.parent
    return CorpusFiles(
        given,
        str(folder),
        {split: (parent / file.name).as_posix() for split, file in files.items()},
        {split: (parent / file.name).as_posix() for split, file in labels.items()},
    )


def _split_files(folder: Path, given: str) -> tuple[dict[str, Path], dict[str, Path]]:
    """Return the file of each split of a folder, and the files of labels that belong to them."""
    found: dict[str, list[Path]] = {split: [] for split in SPLIT_WORDS}
    paths = [path for path in sorted(folder.iterdir()) if path.is_file()]
    labels = {beside for path in paths if (beside := _labels_beside(path))}
    for path in paths:
        split = split_of_name(path.name)
        if split and path not in labels and not path.name.startswith("."):
            found[split].append(path)
    for split, candidates in found.items():
        if len(candidates) != 1:
            names = ", ".join(file.name for file in candidates[:5]) or "none"
            raise ValueError(
                f"{given}: expected one file for each of train, dev and test, and found {names} "
                f"for {split}; rename the files, or give one file: FROM=FILE."
            )
    files = {split: candidates[0] for split, candidates in found.items()}
    pairs = {split: _labels_beside(path) for split, path in files.items()}
    return files, {split: path for split, path in pairs.items() if path}


def _labels_beside(path: Path) -> Path | None:
    """Return the file with the label of each line that stands beside a file of lines, or None."""
    for word, other in PAIRED:
        head, found, tail = path.name.rpartition(word)
        paired = path.with_name(f"{head}{other}{tail}")
        if found and tail == ".txt" and paired.is_file():
            return paired
    return None


def check_names(name: str, root: Path | str) -> None:
    """Raise `ValueError` if a task or a study cannot have this name, or if there already is one.

    Parameters
    ----------
    name
        The name.
    root
        The folder of the configuration.
    """
    if not NAME.fullmatch(name):
        raise ValueError(
            f"NAME={name}: a name consists of lower-case letters, digits and hyphens, and does not "
            "begin with a hyphen; choose another one."
        )
    if name == MODELS:
        raise ValueError(f"NAME={name}: results/{name} holds models; choose another name.")
    for path in target_files(name, root):
        if path.exists():
            raise ValueError(f"{path} is there already and stays as it is; choose another NAME.")


def target_files(name: str, root: Path | str) -> tuple[Path, Path]:
    """Return the paths of the task file and of the study."""
    return Path(root) / f"tasks/{name}.yaml", Path(root) / f"studies/{name}.yaml"


def task_text(draft: Draft, loss: float | None = None, reason: str = "") -> str:
    """Return the content of the task file.

    Parameters
    ----------
    draft
        The draft.
    loss
        The share of a split that may be rejected for one reason; None for the default.
    reason
        Why rows are rejected, for the comment.
    """
    name, guess, rows = draft.name, draft.guess, draft.guess.rows
    lines = [
        *_comment(
            f"Written by `make task` for {Path(draft.corpus.given).name}, which has {rows} rows. "
            "The columns and the labels are guesses: read them, and correct what is wrong. "
            f"`snakemake -n --config study={name}` then says whether the file fits the posts. "
            "docs/own-posts.md explains the keys, and docs/reference.md lists all of them."
        ),
        "",
        *_comment("For the report, and for models that read a prompt:"),
        f"# title: What is asked about a post?   # default: {name}",
        "# platform: twitter   # or reddit, or a word of your choice",
        "",
        *_metric_lines(draft),
        *_label_lines(draft),
        *_loss_lines(loss, reason),
    ]
    if "encoding" in guess.remarks:
        lines += ["clean: [mojibake, entities, white_space]   # see `encoding` below"]
    lines += [
        "",
        *_comment(
            "Whether posts may be sent to a language model on a server: see docs/own-posts.md."
        ),
        "endpoints: false",
        "",
        *_column_comments(draft),
        *(_divide_lines(draft) if "" in draft.corpus.files else _split_lines(draft)),
    ]
    return "\n".join(lines) + "\n"


def study_text(
    name: str, corpus: CorpusFiles, recipe: str, aliases: Iterable[str], scale: str
) -> str:
    """Return the content of the study.

    Parameters
    ----------
    name
        The name of the task.
    corpus
        Its files.
    recipe
        The recipe that the study runs.
    aliases
        The names by which the recipe calls its tasks.
    scale
        The scale of the study.
    """
    bound = ", ".join(f"{alias}: {name}" for alias in aliases)
    return "\n".join(
        [
            *_comment(
                f"Written by `make task`. `snakemake --config study={name}` runs it; seeds=1 and "
                "train=500 after it are for a first look."
            ),
            f"title: A first system for {name}",
            f"recipes: [{recipe}]",
            f"scale: {scale}   # small pretrained models, for two cores",
            f"data: {_scalar(corpus.folder)}   # the folder of the raw posts",
            f"bind: {{{recipe}: {{{bound}}}}}",
            "seeds: 3",
            "",
        ]
    )


def recipe_tasks(recipe: str, root: Path | str) -> list[str]:
    """Return the names by which a recipe calls its tasks."""
    return list(read_yaml(Path(root) / f"recipes/{recipe}.yaml")["tasks"])


def loss_to_allow(fates: Iterable[tuple[str, str, str | None]]) -> tuple[float | None, str]:
    """Return the share of rows that a task file has to allow as a loss, and a sentence.

    Parameters
    ----------
    fates
        The split, the fate and the reason of each raw row, as the ledger of a corpus has them.

    Returns
    -------
    loss
        The share, rounded up to hundredths; None if the default is enough.
    reason
        Which rows are lost.

    Examples
    --------
    >>> lost = [("train", "rejected", "no label")] * 3 + [("train", "kept", None)] * 7
    >>> loss_to_allow(lost)
    (0.3, '3 of 10 rows of train are rejected: no label')
    """
    from postgrad.corpus.clean_options import LOSS
    from postgrad.corpus.settling import WANTED_LOSSES

    rows = list(fates)
    if any(split == "undivided" for split, _, _ in rows):  # a draw is made of what is left
        rows = [("the file", fate, reason) for _, fate, reason in rows]
    sizes = Counter(split for split, _, _ in rows)
    lost = Counter(
        (split, reason)
        for split, fate, reason in rows
        if fate == "rejected" and reason not in WANTED_LOSSES
    )
    worst = max(lost, key=lambda key: lost[key] / sizes[key[0]], default=None)
    if worst is None or lost[worst] <= LOSS * sizes[worst[0]]:
        return None, ""
    split, reason = worst
    share = math.ceil(lost[worst] / sizes[split] * 100) / 100
    return share, f"{lost[worst]} of {sizes[split]} rows of {split} are rejected: {reason}"


def _comment(text: str) -> list[str]:
    """Return a text as lines of a comment."""
    return [f"# {line}" for line in textwrap.wrap(text, WIDTH, break_on_hyphens=False)]


def _scalar(value: object) -> str:
    """Return a value as YAML writes it in one line."""
    written = yaml.safe_dump(
        value, default_flow_style=True, allow_unicode=True, sort_keys=False, width=10**6
    )
    return written.removesuffix("\n").removesuffix("...").strip()


def _metric_lines(draft: Draft) -> list[str]:
    """Return the lines of the metric and of the positive classes."""
    counts = draft.counts
    if len(counts) > 2:
        return [
            *_comment(
                f"The mean of the F1 of the {len(counts)} classes. Other metrics are accuracy, and "
                "f1 and micro_f1 of the classes under `positive`, such as "
                f"positive: [{_scalar(list(counts)[-1])}]."
            ),
            "metric: macro_f1",
        ]
    positive, why = (YES, "") if draft.guess.label.is_listed else positive_class(counts)
    why = f", which is taken for the positive class since {why}" if why else ""
    return [
        *_comment(
            f"The F1 of the class {positive}{why}. Other metrics are macro_f1, accuracy and auc."
        ),
        "metric: f1",
        f"positive: [{_scalar(positive)}]",
    ]


def _label_lines(draft: Draft) -> list[str]:
    """Return the lines of the labels with the number of rows of each."""
    counts = draft.counts
    lines = _comment(
        "The classes with their numbers of rows. A class may also be a mapping, such as "
        f"{{name: {_scalar(list(counts)[0])}, about: what it means}}."
    )
    lines.append("labels:")
    for name, count in counts.items():
        few = ": too few to learn or to measure" if count < FEW else ""
        lines.append(f"  - {_scalar(name)}   # {count}{few}")
    if missing := draft.guess.rows - sum(counts.values()):
        lines += _comment(f"{missing} rows have no label and are left out.")
    return lines


def _loss_lines(loss: float | None, reason: str) -> list[str]:
    """Return the lines of the loss that is allowed."""
    if loss is None:
        return []
    return ["", *_comment(f"{reason}. Is this right?"), f"allow_loss: {loss:g}"]


def _column_comments(draft: Draft) -> list[str]:
    """Return comments on the columns that were chosen, and on others."""
    guess, lines = draft.guess, []
    for key in ("text", "label", "id", "split"):
        if key in guess.remarks:
            lines += _comment(f"{key}: {guess.remarks[key]}.")
    label = guess.label
    if label.is_listed:
        counts = ", ".join(f"{name} {count}" for name, count in label.counts.items())
        lines += _comment(
            f"label: a row may have several labels ({counts}). A post has the class yes if "
            f"{draft.among} is one of them; write another one under `among` for another task."
        )
    used = {guess.text, guess.title, guess.id, guess.split, label.column}
    others = [column for column in guess.columns if column not in used]
    if others and any(map(is_column_name, others)):
        lines += _comment(f"Columns that are not read: {column_list(others)}.")
    return lines


def _column_lines(draft: Draft) -> list[str]:
    """Return the lines of the columns, with why each was chosen."""
    guess, label = draft.guess, draft.guess.label
    named: Any = label.column
    if label.is_listed:
        named = {"column": label.column, "among": draft.among}
        named |= {"separator": label.separator} if label.separator else {}
    columns = {
        "id": (guess.id, "each row has its own"),
        "title": (guess.title, "placed before the text"),
        "text": (guess.text, f"{guess.length} characters on average"),
        "label": (named, f"{len(label.counts)} different values"),
        "split": (guess.split, "names the split of each row"),
    }
    lines = [
        f"  {key}: {_scalar(column)}   # {why}" for key, (column, why) in columns.items() if column
    ]
    return ["columns:", *lines]


def _layout_lines(layout: Layout, remark: str | None) -> list[str]:
    """Return the lines that say how a file is written."""
    lines = [*_comment(remark or ""), f"encoding: {layout.encoding}"] if layout.encoding else []
    lines += [f"delimiter: {_quoted(layout.delimiter)}"] if layout.delimiter else []
    return lines + ([f"quotes: {layout.quotes}"] if layout.quotes else [])


def _quoted(text: str) -> str:
    """Return a short text in double quotes, with a tab as an escape."""
    return '"' + text.replace("\t", "\\t") + '"'


def _divide_lines(draft: Draft) -> list[str]:
    """Return the lines of a single file that is divided."""
    guess = draft.guess
    lines = [
        "splits: {train: {}, dev: {}, test: {}}   # divide makes them",
        "divide:",
        f"  from: {_scalar(draft.corpus.files[''])}",
        *(f"  {line}" for line in _layout_lines(guess.layouts[0], guess.remarks.get("encoding"))),
        *(f"  {line}" for line in _column_lines(draft)),
    ]
    if guess.split:
        return [*lines, f"  parts: {_scalar(guess.parts)}   # the values of {guess.split}"]
    return [
        *lines,
        "  # Drawn class by class; equal texts stay together.",
        f"  parts: {_scalar(SHARES)}",
        "  seed: 1",
    ]


def _split_lines(draft: Draft) -> list[str]:
    """Return the lines of a folder with a file for each split."""
    guess, corpus, lines = draft.guess, draft.corpus, ["splits:"]
    for (split, file), layout in zip(corpus.files.items(), guess.layouts, strict=True):
        lines += [f"  {split}:", f"    file: {_scalar(file)}"]
        if split in corpus.labels:
            lines.append(f"    labels_file: {_scalar(corpus.labels[split])}")
        remark = guess.remarks.get("encoding")
        lines += [f"    {line}" for line in _layout_lines(layout, remark)]
        if split not in corpus.labels:
            lines += [f"    {line}" for line in _column_lines(draft)]
    return lines


def summary_lines(draft: Draft, posts: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Return what is printed about a task: its columns, and the posts of each split and class.

    Parameters
    ----------
    draft
        The draft of the task.
    posts
        For each split, the number of posts of each class after cleaning.
    """
    guess = draft.guess
    columns = {"id": guess.id, "title": guess.title, "text": guess.text}
    columns |= {"label": guess.label.column, "split": guess.split}
    chosen = ", ".join(f"{key}: {column}" for key, column in columns.items() if column)
    lines = [f"{Path(draft.corpus.given).name}: {guess.rows} rows; columns {chosen}"]
    for split, counts in posts.items():
        shown = ", ".join(f"{name} {count}" for name, count in counts.items())
        lines.append(f"  {split}: {sum(counts.values())} posts ({shown})")
    return lines + [f"  {key}: {remark}" for key, remark in guess.remarks.items()]


def check_posts(posts: Mapping[str, Mapping[str, int]], given: str) -> None:
    """Raise `ValueError` if a split has no post, or if train lacks a class.

    Parameters
    ----------
    posts
        For each split, the number of posts of each class after cleaning.
    given
        The file or folder, for the message.
    """
    for split, counts in posts.items():
        if not sum(counts.values()):
            raise ValueError(
                f"{given}: too few posts: {split} would have none; give more posts, or a folder "
                "with a file for each of train, dev and test."
            )
    lacks = [name for name, count in posts["train"].items() if not count]
    if lacks:
        raise ValueError(f"{given}: no post of train would have the label {lacks[0]}.")


def next_commands(name: str) -> Sequence[str]:
    """Return the commands that follow."""
    return (
        f"snakemake -n --config study={name}",
        f"snakemake --config study={name} train=500 seeds=1",
        f"snakemake --config study={name}",
    )
