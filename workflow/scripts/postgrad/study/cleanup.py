"""What lies in work/ that no study refers to: checkpoints and kept results of nodes that are gone."""

import sys
from functools import cache
from itertools import product
from pathlib import Path

from postgrad.config.errors import Fault
from postgrad.study.study import Study

EVERY = 10**6  # the cap of a study is no reason to call a seed, a fold or a task unknown
KEPT = ("log", "posts", "run", "answers")  # of a study, beside its recipes
HELD = ("pretrain", "finetune", "predict", "review")  # the verbs with a work folder


def leftovers(root="config", work="work"):
    """Folders under `work` that no study in `root` refers to, in either mode, at any scale, of however many seeds.

    Folds, tasks and shards are counted as seeds are: a cap leaves nothing over.

    A study or recipe that cannot be read keeps all its folders. Logs and made-up posts of a study stay.
    """
    found, studies = [], {path.stem for path in (Path(root) / "studies").glob("*.yaml")}
    for folder in sorted(path for path in Path(work).glob("*") if path.is_dir() and path.name != "base"):
        if folder.name not in studies:
            found.append(folder)
            continue
        for recipe in sorted(path for path in folder.glob("[!.]*") if path.name not in KEPT):
            if not (Path(root) / "recipes" / f"{recipe.name}.yaml").is_file():
                found.append(recipe)
            elif (known := referred(folder.name, recipe.name, root)) is not None:
                nodes = (path for verb in HELD for path in sorted(recipe.glob(f"{verb}/[!.]*")))  # .x: a lock
                found += [path for path in nodes if (path.parent.name, path.name) not in known]
    return found


def referred(study, recipe, root="config"):
    """{(verb, id)} that one recipe of a study has at any setting of it; None where a file cannot be read."""
    known, scales = set(), [path.stem for path in sorted((Path(root) / "scales").glob("*.yaml"))]
    for scale, mode in product([None, *scales], ("recommended", "faithful")):
        config = {"study": study, "recipes": [recipe], "mode": mode, "check_data": False}
        config |= {"seeds": EVERY, "folds": EVERY, "tasks": EVERY} | ({"scale": scale} if scale else {})
        try:
            nodes = Study(config, root=root).graphs[recipe].nodes.values()
        except Fault:
            if scale:  # the recipe cannot be made at that scale
                continue
            return None
        known |= {(node.verb, node.id) for node in nodes}
        known |= {("predict", node.id) for node in nodes if node.verb == "finetune"}
    return known


def listing(folders):
    """One line a folder with its size, and what their removal frees: files that results also hold stay there."""
    lines, freed = [], 0
    for folder in folders:
        files = [path.stat() for path in folder.rglob("*") if path.is_file()]
        lines.append(f"{sum(file.st_size for file in files) / 1e6:10.1f} MB  {folder}")
        freed += sum(file.st_size for file in files if file.st_nlink == 1)
    told = f"{len(folders)} folder{'s' * (len(folders) != 1)} in work/ to which no study refers"
    end = f"Frees {freed / 1e6:.1f} MB; results/ stays as it is." if folders else "Nothing to remove."
    return "\n".join([told + (":" if folders else "."), *lines, end])


@cache
def announce_leftovers():
    """Return the folders that `leftovers` finds, and list them on the screen, once in a process."""
    folders = leftovers()
    print(listing(folders), file=sys.stderr)
    return folders
