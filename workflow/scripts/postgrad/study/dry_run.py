"""The table of a dry run: which verbs and nodes run, in the order of the data, and why.

Snakemake is not imported: workflow/rules/outlook.smk reads its graph and passes plain values.
"""

import ast
import json
import logging
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from postgrad.records.names import SCORED, TEACHING
from postgrad.study.fingerprints import EXPENSIVE

WIDTH = 110
MAX_SHOWN = 30  # characters of a value; a longer one, such as a prompt, is not printed
# From the most to the least important cause.
CAUSES = ("forced", "spec", "reads", "older", "code", "input", "other", "new", "follows")
OLDER = "made by an earlier version"
# What Snakemake prints after its job stats, by event and by first words; the table replaces it.
EVENTS = {"RUN_INFO", "JOB_INFO", "GROUP_INFO", "SHELLCMD"}
OPENINGS = (
    "Reasons:",
    "Some jobs were triggered by",
    "Rules with provenance triggered",
    "This was a dry-run",
)
LAST_LINE = "Nothing was run (-n). `snakemake -n -p` lists every job and its command."


@dataclass(frozen=True)
class Job:
    """One job that will run.

    `why` is empty if the job only follows others. `follows` are the (verb, node) of the jobs before
    it.
    """

    verb: str
    node: str
    cause: str
    why: str = ""
    follows: tuple[tuple[str, str], ...] = ()


def node_label(wildcards: Mapping[str, str], several: bool) -> str:
    """Return what a job is of: ages-expert, or ctyun/ages-expert if there are several recipes.

    Parameters
    ----------
    wildcards
        The job's wildcards, with the node's name instead of its id under `node`.
    several
        Whether the table has jobs of several recipes.
    """
    name = next((wildcards[key] for key in ("node", "task", "model") if key in wildcards), "")
    recipe = wildcards.get("recipe", "")
    return "/".join(filter(None, [recipe, name])) if several or not name else name


def job_cause(reason: Any, change: Any = None) -> tuple[str, str]:
    """Return why a job runs, as (cause, words).

    Parameters
    ----------
    reason
        Snakemake's Reason for the job.
    change
        The change of its params, if any: `only_old` and `only_new` are sets of Python literals, as
        Snakemake keeps params.
    """
    if reason.forced:
        return "forced", "forced"
    if reason.missing_output:
        return "new", "new"
    if change:
        return params_change(change.only_old, change.only_new)
    if reason.code_changed:
        return "code", "command changed"
    files = sorted(set(reason.updated_input) - set(reason.updated_input_run))
    if files:
        return "input", f"input changed: {files[0]}" + (
            f" and {len(files) - 1} more" if files[1:] else ""
        )
    return ("follows", "") if reason.updated_input_run else ("other", str(reason))


def params_change(old: Iterable[str], new: Iterable[str]) -> tuple[str, str]:
    """Return why a job with other params runs, as (cause, words).

    A spec is a JSON mapping. What a job reads is a JSON mapping with the one key `reads` or, for a
    report, a list of files. Code is a word.

    Parameters
    ----------
    old
        Literals of params that no longer exist.
    new
        Literals of new params.
    """
    gone, came = (
        [ast.literal_eval(x) for x in sorted(literals) if x[:1] in ("'", '"', "[")]
        for literals in (old, new)
    )
    lists = [{"files": value} for value in [*gone, *came] if isinstance(value, list)]
    before, after = (
        [value for value in values if isinstance(value, str)] for values in (gone, came)
    )
    mappings = [json.loads(value) for value in [*before, *after] if value.startswith("{")]
    specs = [value for value in mappings if value.keys() != {"reads"}]
    reads = [value["reads"] for value in mappings if value.keys() == {"reads"}]
    words = (
        ", ".join(input_changes(*(reads if len(reads) == 2 else lists)))
        if 2 in (len(reads), len(lists))
        else ""
    )
    if len(specs) == 2:
        words_of_spec = "spec: " + (", ".join(spec_differences(*specs)) or "changed")
        return "spec", words_of_spec + (f"; {words}" if words else "")
    if words:
        return "reads", words
    if len(reads) == 1:  # up to version 0.1.0 no job recorded what it read
        return "older", OLDER
    versions = [
        match[1] for value in [*before, *after] if (match := re.fullmatch(r"version (\d+)", value))
    ]
    if len(versions) == 2:
        return "code", f"VERSION {versions[0]} -> {versions[1]}"
    hashed = any(re.fullmatch("[0-9a-f]{16}", value) for value in after)
    return ("code", "code changed") if hashed else ("other", "params changed")


def is_of_older_form(output: str) -> bool:
    """Return whether an earlier version of Postgrad predicted what this file will contain.

    Earlier versions wrote one file for each dataset.
    """
    path = Path(output)
    folders = (
        place for place in path.parent.glob("*") if place.is_dir() and place.suffix != ".shards"
    )
    return path.stem in (SCORED, TEACHING) and any(folders)


def upgrade_sentence(jobs: Sequence[Job]) -> str | None:
    """Return a message on what runs again because an earlier version made it, or None."""
    if all(job.cause != "older" for job in jobs):
        return None
    verbs = dict.fromkeys(
        job.verb for job in jobs if job.cause in ("older", "code", "reads", "follows")
    )
    return (
        f"An earlier version of Postgrad made some of these results, so the jobs of "
        f"{', '.join(verbs)} run again once; a model, a prediction or an answer in work/ is "
        "restored where its options and posts are the same."
    )


def spec_differences(old: Mapping[str, Any], new: Mapping[str, Any], path: str = "") -> list[str]:
    """Return what differs between two mappings, one text for each key.

    Parameters
    ----------
    old, new
        The mappings.
    path
        Comes before each key.

    Examples
    --------
    >>> spec_differences({"lr": 0.01, "seed": 1}, {"lr": 0.001, "seed": 1})
    ['lr 0.01 -> 0.001']
    >>> spec_differences({"prompt": "a" * 50}, {"prompt": "b" * 50})
    ['prompt changed']
    """
    differences: list[str] = []
    for key in sorted({*old, *new}):
        before, now = old.get(key), new.get(key)
        if isinstance(before, dict) and isinstance(now, dict):
            differences += spec_differences(before, now, f"{path}{key}.")
            continue
        before, now = (
            value if isinstance(value, str) else json.dumps(value) for value in (before, now)
        )
        if before != now:
            long = any(len(text) > MAX_SHOWN or not text.isprintable() for text in (before, now))
            differences.append(f"{path}{key} changed" if long else f"{path}{key} {before} -> {now}")
    return differences


def input_changes(
    old: Mapping[str, Sequence[str]], new: Mapping[str, Sequence[str]]
) -> Iterator[str]:
    """Yield which inputs are new (+) and which are no longer read (-), by role.

    Examples
    --------
    >>> list(input_changes({"data": ["a"]}, {"data": ["a", "label agreed"]}))
    ['data: + label agreed']
    """
    for role in sorted({*old, *new}):
        before, now = old.get(role, []), new.get(role, [])
        signed = [("+", name) for name in now if name not in before]
        signed += [("-", name) for name in before if name not in now]
        if before != now:
            shown = " ".join(f"{sign} {name}" for sign, name in signed[:2]) or "another order"
            yield f"{role}: {shown}" + (f" and {len(signed) - 2} more" if signed[2:] else "")


def table_rows(jobs: Iterable[Job]) -> Iterator[tuple[str, str, int, str]]:
    """Yield (verb, node, number of jobs, why) of each verb and node.

    Of several causes, the first in `CAUSES` is given, with the number of jobs that have it.
    """
    merged: dict[tuple[str, str], list[Job]] = {}
    for job in jobs:
        merged.setdefault((job.verb, job.node), []).append(job)
    for (verb, node), group in merged.items():
        first = min(group, key=lambda job: CAUSES.index(job.cause))
        others = dict.fromkeys(one for job in group for one in job.follows if one != (verb, node))
        upstream = [" ".join(filter(None, one)) for one in others]
        more = f" and {len(upstream) - 2} more" if upstream[2:] else ""
        like = sum(job.cause == first.cause for job in group)
        part = f" ({like} of {len(group)})" * (like < len(group))
        yield (
            verb,
            node,
            len(group),
            (first.why or f"follows {', '.join(upstream[:2])}{more}") + part,
        )


def dry_run_table(jobs: Sequence[Job], known: int, notes: Iterable[str] = ()) -> str:
    """Return the table, with no line wider than WIDTH, and a total below it.

    Parameters
    ----------
    jobs
        The jobs that will run.
    known
        The number of all jobs.
    notes
        Sentences on nodes that override their scale and on predictors that are equal at it, which
        come before the total.
    """
    cells = [
        ("verb", "node", "jobs", "why"),
        *((v, n, str(count), why) for v, n, count, why in table_rows(jobs)),
    ]
    verb, node, number = (max(len(row[column]) for row in cells) for column in range(3))
    lines = [
        f"{v:<{verb}}  {n:<{node}}  {count:>{number}}  {why}" for v, n, count, why in cells
    ] + [*notes]
    lines = [line if len(line) <= WIDTH else line[: WIDTH - 3] + "..." for line in lines]
    counts = Counter(job.verb if job.verb in EXPENSIVE else "cheap" for job in jobs)
    parts = (f"{counts[name]} {name}" for name in ("cheap", *EXPENSIVE) if counts[name])
    return "\n".join([*lines, f"{len(jobs)} of {known} jobs: {', '.join(parts)}"])


class DryRunFilter(logging.Filter):
    """A log filter that shows the table of a dry run instead of Snakemake's job stats.

    Other messages about jobs are left out.

    Parameters
    ----------
    planned
        Called when the graph is complete. Returns the jobs, the number of all jobs, and the
        sentences that come before the total. If it fails, for example because a new Snakemake uses
        other names, the messages of Snakemake stay.
    """

    def __init__(self, planned: Callable[[], tuple[Sequence[Job], int, Iterable[str]]]) -> None:
        super().__init__()
        self.planned, self.state = planned, "waiting"

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is shown; the table replaces the message of the job stats."""
        event = getattr(getattr(record, "event", None), "name", "")
        if self.state == "waiting" and event == "RUN_INFO":
            try:
                jobs, known, notes = self.planned()
                if known:  # clean_work makes no file: Snakemake's own words will do
                    record.msg, self.state = (
                        f"{dry_run_table(jobs, known, notes)}\n{LAST_LINE}",
                        "told",
                    )
            except Exception as error:  # whatever it is, the dry run goes on
                self.state = "failed"
                record.msg = (
                    f"No table of what will run: {type(error).__name__}: {error}\n{record.msg}"
                )
            return True
        return self.state != "told" or not (event in EVENTS or str(record.msg).startswith(OPENINGS))


def show_dry_run_table(
    planned: Callable[[], tuple[Sequence[Job], int, Iterable[str]]],
    handlers: Iterable[logging.Handler],
    settings: object,
) -> None:
    """Add an `Outlook` to Snakemake's own log handler in a dry run.

    It is not added if commands, details or less output are requested.
    """
    quiet = {item.name for item in getattr(settings, "quiet", None) or ()}
    own = getattr(settings, "printshellcmds", False) or getattr(settings, "verbose", False)
    if getattr(settings, "dryrun", False) and not own and not quiet & {"RULES", "PROGRESS"}:
        # Snakemake leaves a dry run loud even under `--quiet all`.
        chosen = (
            (lambda record: record.levelno > logging.INFO)
            if "ALL" in quiet
            else DryRunFilter(planned)
        )
        for handler in handlers:
            if handler.name == "DefaultStreamHandler":
                handler.addFilter(chosen)
