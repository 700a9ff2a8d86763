"""A training's work folder: key.json, progress.jsonl, complete checkpoints, and the model once it is finished.

The key is all that decides the result: the spec, the version, the base's digest and the posts' digests. An
equal key goes on from the newest complete checkpoint, or takes the finished model back without training.
"""

import json
import shutil
import sys
from pathlib import Path

from postgrad.folders import link, model_folder
from postgrad.posts import write_text

COMPLETE = "complete"  # the file that is written last into a checkpoint
MODEL = "model"  # links to the files of the finished model


def key_text(key):
    return json.dumps(key, sort_keys=True)


def open_work(work, key):
    """The newest complete checkpoint in `work`, or None.

    Where key.json holds another key, the work is another training's: what it left is removed.
    """
    work = Path(work)
    held = work / "key.json"
    if not held.is_file() or held.read_text(encoding="utf-8") != key_text(key):
        shutil.rmtree(work, ignore_errors=True)
        write_text(key_text(key), held)
    complete = [path.parent for path in work.glob(f"checkpoint-*/{COMPLETE}")]
    return max(complete, key=lambda path: int(path.name.partition("-")[2]), default=None)


def close_work(work, out):
    """Keep the finished model of folder `out` in `work`, as links, and remove every checkpoint."""
    shutil.rmtree(Path(work) / MODEL, ignore_errors=True)  # what a run that was killed here left
    link_files(out, Path(work) / MODEL)
    for path in Path(work).glob("checkpoint-*"):
        shutil.rmtree(path)


def restored(work, key, out):
    """Whether `work` holds the finished model of this key; if so it stands in `out` again, nothing trained."""
    held, model = Path(work) / "key.json", Path(work) / MODEL
    if not (model / "model.json").is_file() or held.read_text(encoding="utf-8") != key_text(key):
        return False
    facts = json.loads((model / "model.json").read_text(encoding="utf-8"))
    with model_folder(out, facts) as folder:
        link_files(model, folder, leave="model.json")
    print(f"{key['spec']['node']}: spec, version and inputs are as before; the finished model is taken back",
          file=sys.stderr)  # fmt: skip
    return True


def link_files(source, target, leave=None):
    """Links in folder `target` to the files of folder `source`, model.json last."""
    target.mkdir(parents=True, exist_ok=True)
    for path in sorted(Path(source).iterdir(), key=lambda path: path.name == "model.json"):
        if path.name != leave:
            link(path, target / path.name)
