"""Small raw files and the spec of a task that reads them, for the tests of cleaning."""

import tempfile
from dataclasses import fields

import pandas as pd
import pyarrow as pa

from postgrad.corpus.clean_options import CleanOptions
from postgrad.corpus.cleaning import clean_corpus
from postgrad.corpus.cleaning_steps import Cleaner
from postgrad.records.names import SPLITS
from postgrad.records.options import read_options
from postgrad.records.posts import read_posts

COLUMNS = {"id": "id", "text": "text", "label": "label"}


def spec(divide=None, allow_loss=1.0, **splits):
    labels = [{"name": "no", "value": 0}, {"name": "yes", "value": 1}]
    body = {
        "task": "toy",
        "platform": "reddit",
        "source": "handed out by the organisers",
        "labels": labels,
        "allow_loss": allow_loss,
    }
    return {**body, "splits": splits, **({"divide": divide} if divide else {})}


def corpus_of(spec, folder, notes=None):
    """The posts and the ledger of a task.

    The keys of a task file that cleaning does not read are left out.
    """
    read = {field.name for field in fields(CleanOptions)}
    options = read_options(CleanOptions, {key: spec[key] for key in spec if key in read})
    with tempfile.TemporaryDirectory() as out:
        clean_corpus(options, folder, Cleaner(options.clean), out, notes)
        posts = {split: read_posts(f"{out}/{split}.parquet") for split in SPLITS}
        return posts, pd.read_parquet(f"{out}/ledger.parquet")


def split(file, **more):
    return {"file": file, "columns": COLUMNS, **more}


def write(folder, name, content, encoding="utf-8"):
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode(encoding))


def fates(ledger):
    table = pa.Table.from_pandas(
        ledger[["line", "post_id", "fate", "reason"]]
    )  # null as None, not as NaN
    return [tuple(row.values()) for row in table.to_pylist()]
