"""List and remove folders in work/ that no study uses, and results of earlier settings.

A node's folder in work/ has one result for each key (postgrad/runtime/result_cache.py). The result
whose key was used last is in use and stays, and so does a model that is in results/. The others are
earlier results. They are kept so that their settings return without training, and are removed by
age and size.

The rule `clean_work` prints the list and then runs this module, which removes:

PYTHONPATH=workflow/scripts python -m postgrad.study.cleanup older_than=30 keep_gb=50
"""

import shutil
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path

from postgrad.config.errors import ConfigError
from postgrad.runtime.locks import hold_lock
from postgrad.runtime.result_cache import (
    KEY,
    MODEL,
    is_finished,
    is_key_folder,
    node_results,
    result_marker,
)
from postgrad.study.dry_run import spec_differences
from postgrad.study.study import Study

# Stands for a limit of a study, which is no reason to call a seed, a fold or a task unknown.
NO_LIMIT = 10**6
# Folders of a study in work/ beside those of its recipes.
STUDY_FOLDERS = ("log", "posts", "run", "answers")
DAY = 86400.0
GB = 1e9


@dataclass(frozen=True)
class WorkFolder:
    """A folder in work/ and its size.

    `size` is the bytes of all its files, and `freed` those of files that have no other name.
    """

    folder: Path
    size: int
    freed: int
    used: float  # the time of last use, in seconds since the epoch
    note: str = ""


@dataclass(frozen=True)
class CleanupPlan:
    """What work/ contains: unused folders, earlier results, and results in use.

    `unknown` are folders to which no study refers. `removed` are those of `earlier` that are to be
    removed. `in_use` are the results that are in results/ now.
    """

    unknown: list[WorkFolder]
    earlier: list[WorkFolder]
    removed: list[WorkFolder]
    in_use: list[WorkFolder]


def plan_cleanup(
    older_than: float | None = None,
    keep_gb: float | None = None,
    root: str | Path = "config",
    work: str | Path = "work",
) -> CleanupPlan:
    """Return what `clean_work` removes.

    Parameters
    ----------
    older_than : float, optional
        Remove earlier results that were not used for more days than this. Default: none because of
        their age.
    keep_gb : float, optional
        Remove earlier results, the one that was used longest ago first, until the others hold at
        most so many gigabytes. Default: none because of their size.
    root
        The folder of the configuration.
    work
        The folder of the work files.
    """
    unknown = unreferenced_folders(root, work)
    earlier, in_use = results_by_use(work, unknown)
    return CleanupPlan(
        [measure_folder(folder) for folder in unknown],
        earlier,
        results_to_remove(earlier, older_than, keep_gb),
        in_use,
    )


def unreferenced_folders(root: str | Path = "config", work: str | Path = "work") -> list[Path]:
    """Return folders in `work` to which no study refers in any mode, scale or number of seeds.

    Folds, tasks and shards are treated as seeds are: a limit on their number leaves no folder over.
    A study or recipe that cannot be read keeps all its folders. Logs and made-up posts of a study
    stay.
    """
    folders, studies = [], {path.stem for path in (Path(root) / "studies").glob("*.yaml")}
    for folder in sorted(
        path for path in Path(work).glob("[!.]*") if path.is_dir() and path.name != "base"
    ):
        if folder.name not in studies:
            folders.append(folder)
            continue
        for recipe in recipe_folders(folder):
            if not (Path(root) / "recipes" / f"{recipe.name}.yaml").is_file():
                folders.append(recipe)
            elif (known := referenced_nodes(folder.name, recipe.name, root)) is not None:
                folders += [
                    path
                    for path in node_folders(recipe)
                    if (path.parent.name, path.name) not in known
                ]
    return folders


def recipe_folders(study: Path) -> list[Path]:
    """Return the folders of a study's recipes in work/."""
    return sorted(
        path for path in study.glob("[!.]*") if path.is_dir() and path.name not in STUDY_FOLDERS
    )


def node_folders(recipe: Path) -> list[Path]:
    """Return the folders of a recipe's nodes in work/, <verb>/<node>. Locks begin with a dot."""
    return sorted(path for path in recipe.glob("[!.]*/[!.]*") if path.is_dir())


def referenced_nodes(
    study: str, recipe: str, root: str | Path = "config"
) -> set[tuple[str, str]] | None:
    """Return the (verb, id) that one recipe of a study has at any setting.

    None if a file cannot be read.
    """
    known: set[tuple[str, str]] = set()
    scales = [path.stem for path in sorted((Path(root) / "scales").glob("*.yaml"))]
    for scale, mode in product([None, *scales], ("recommended", "faithful")):
        config = {"study": study, "recipes": [recipe], "mode": mode, "check_data": False}
        config |= {"seeds": NO_LIMIT, "folds": NO_LIMIT, "tasks": NO_LIMIT} | (
            {"scale": scale} if scale else {}
        )
        try:
            nodes = Study(config, root=root).graphs[recipe].nodes.values()
        except ConfigError:
            if scale:  # the recipe cannot be made at that scale
                continue
            return None
        known |= {(node.verb, node.id) for node in nodes}
        known |= {("predict", node.id) for node in nodes if node.verb == "finetune"}
    return known


def results_by_use(
    work: str | Path, unknown: Iterable[Path] = ()
) -> tuple[list[WorkFolder], list[WorkFolder]]:
    """Return the earlier results and the results in use of all nodes outside `unknown`.

    Returns
    -------
    earlier : list of Held
        The one that was used longest ago first.
    in_use : list of Held
    """
    earlier, in_use, apart = [], [], set(unknown)
    recipes = [
        recipe for study in sorted(Path(work).glob("[!.]*")) for recipe in recipe_folders(study)
    ]
    for node in (node for recipe in recipes for node in node_folders(recipe)):
        if apart.isdisjoint([node, *node.parents]):
            for results in node_results(node):
                last, key = results[-1]
                for folder, own in results:
                    if folder == last or is_linked_from_results(folder, work):
                        in_use.append(measure_folder(folder))
                    else:
                        note = (
                            ", ".join(spec_differences(own["spec"], key["spec"]))
                            or "other inputs or version"
                        )
                        earlier.append(
                            measure_folder(
                                folder, note if is_finished(folder) else f"{note}; not finished"
                            )
                        )
    return sorted(earlier, key=lambda result: (result.used, result.folder)), in_use


def is_linked_from_results(folder: Path, work: str | Path) -> bool:
    """Return whether the model in a key's folder is the one in results/, whatever their times."""
    kept = result_marker(folder / MODEL)
    place = Path(work).with_name("results") / folder.parent.relative_to(work) / kept.name
    return kept.is_file() and place.is_file() and kept.read_bytes() == place.read_bytes()


def results_to_remove(
    earlier: Sequence[WorkFolder], older_than: float | None, keep_gb: float | None
) -> list[WorkFolder]:
    """Return the earlier results that are too old or hold too much space; see `plan`.

    Parameters
    ----------
    earlier
        The one that was used longest ago first.
    """
    oldest = -float("inf") if older_than is None else time.time() - older_than * DAY
    room = float("inf") if keep_gb is None else keep_gb * GB
    removed, left = [], sum(result.freed for result in earlier)
    for result in earlier:
        if result.used < oldest or left > room:
            removed.append(result)
            left -= result.freed
    return removed


def measure_folder(folder: Path, note: str = "") -> WorkFolder:
    """Return the size of a folder and when it was last used.

    That is the newest time of a key.json, or of any file if there is none.
    """
    files = {path: path.stat() for path in folder.rglob("*") if path.is_file()}
    times = [status.st_mtime for path, status in files.items() if path.name == KEY]
    used = max(times or [status.st_mtime for status in files.values()] or [folder.stat().st_mtime])
    freed = sum(status.st_size for status in files.values() if status.st_nlink == 1)
    return WorkFolder(folder, sum(status.st_size for status in files.values()), freed, used, note)


def listing_text(plan: CleanupPlan) -> str:
    """Return a text on what work/ contains, and on the space that the removal frees.

    It has a line for each folder that is or may be removed.
    """
    lines = [
        f"{summary_text(plan.unknown)} to which no study refers" + (":" if plan.unknown else ".")
    ]
    lines += [folder_line("remove", folder) for folder in plan.unknown]
    lines += [
        f"{summary_text(plan.earlier)} with results of earlier settings, "
        "which return without being computed again"
        + ("; how they differ from the present ones:" if plan.earlier else ".")
    ]
    lines += [
        folder_line("remove" if folder in plan.removed else "keep", folder)
        for folder in plan.earlier
    ]
    size = sum(folder.size for folder in plan.in_use)
    shared = size - sum(folder.freed for folder in plan.in_use)
    lines += [f"{summary_text(plan.in_use)} with results in use: {gigabytes(size)}, "
              f"of which {gigabytes(shared)} are shared with results/."]  # fmt: skip
    if len(plan.removed) < len(plan.earlier):
        lines += [
            "To remove results of earlier settings, add --config older_than=DAYS, or keep_gb=GB "
            "for the space that all of them may hold."
        ]
    gone = [*plan.unknown, *plan.removed]
    freed = gigabytes(sum(folder.freed for folder in gone))
    lines += [f"Frees {freed}; results/ stays as it is." if gone else "Nothing to remove."]
    return "\n".join(lines)


def summary_text(folders: Sequence[WorkFolder]) -> str:
    """Return the number of folders for a message, for example "3 folders in work/"."""
    return f"{len(folders)} folder{'s' * (len(folders) != 1)} in work/"


def folder_line(word: str, folder: WorkFolder) -> str:
    """Return the line of a folder in the list; `word` says what happens to it."""
    days = max(0.0, (time.time() - folder.used) / DAY)
    note = f"  ({folder.note})" if folder.note else ""
    size = gigabytes(folder.size)
    return f"  {word:<6}  {size:>11}  used {days:.0f} days ago  {folder.folder}{note}"


def gigabytes(size: int) -> str:
    """Return a number of bytes in GB or MB.

    Examples
    --------
    >>> gigabytes(2_500_000_000), gigabytes(1_500_000)
    ('2.50 GB', '1.5 MB')
    """
    return f"{size / GB:.2f} GB" if size >= GB / 10 else f"{size / 1e6:.1f} MB"


@cache
def announce_plan(older_than: float | None = None, keep_gb: float | None = None) -> list[str]:
    """Print what `clean_work` removes, once in a process, and return this module's arguments."""
    print(listing_text(plan_cleanup(older_than, keep_gb)), file=sys.stderr)
    limits = {"older_than": older_than, "keep_gb": keep_gb}
    return [f"{name}={value}" for name, value in limits.items() if value is not None]


def remove_folder(folder: Path) -> bool:
    """Remove a folder of work/ unless a job uses it, and return whether it was removed.

    Each key.json is removed first, so that a kill leaves none with half a result.
    """
    node = folder.parent if is_key_folder(folder) else folder
    try:
        with hold_lock(node, wait=False):
            for file in folder.rglob(KEY):
                file.unlink()
            shutil.rmtree(folder)
    except BlockingIOError as fault:
        print(f"{folder} stays: {fault}", file=sys.stderr)
        return False
    return True


def main(words: Sequence[str]) -> None:
    """Remove what `plan` finds; the arguments are older_than=DAYS and keep_gb=GB."""
    limits = {name: float(value) for name, value in (word.split("=") for word in words)}
    plan = plan_cleanup(limits.get("older_than"), limits.get("keep_gb"))
    for gone in [*plan.unknown, *plan.removed]:
        if remove_folder(gone.folder):
            print(f"{gone.folder}: removed, {gigabytes(gone.freed)} freed")


if __name__ == "__main__":
    main(sys.argv[1:])
