"""A training's work folder: key.json, progress.jsonl and checkpoints, of which only complete ones count."""

import json
import shutil
from pathlib import Path

from postgrad.posts import write_text

COMPLETE = "complete"  # the file that is written last into a checkpoint


def open_work(work, key):
    """The newest complete checkpoint in `work`, or None.

    key: the spec, the version and the digests of the inputs. Where key.json holds another key, the work is
    another training's: its checkpoints and progress are removed.
    """
    work = Path(work)
    text = json.dumps(key, sort_keys=True)
    held = work / "key.json"
    if not held.is_file() or held.read_text(encoding="utf-8") != text:
        close_work(work)
        (work / "progress.jsonl").unlink(missing_ok=True)
        write_text(text, held)
    complete = [path.parent for path in work.glob(f"checkpoint-*/{COMPLETE}")]
    return max(complete, key=lambda path: int(path.name.partition("-")[2]), default=None)


def close_work(work):
    """Remove every checkpoint."""
    for path in Path(work).glob("checkpoint-*"):
        shutil.rmtree(path)
