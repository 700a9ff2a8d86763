"""The section on pseudo-labels: how many posts of a pool are kept, and with which labels."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from postgrad.evaluation.agreement import prior_shift
from postgrad.report.sections import Entries, Section


def label_flow_table(flow: Mapping[str, Any], recipe: str) -> dict[str, Any]:
    """Return the label flow of a node as a table.

    Parameters
    ----------
    flow
        The label flow that label wrote.
    recipe
        The name of the recipe.

    Returns
    -------
    dict
        The recipe, the node and its options, the classes, the teachers, and:

        `criterion`: agreed for two teachers, answered for one.

        `stages`: for each the name, the number of posts, their share of the pool, and the posts of
        each class or None.

        `gold`: None without gold posts. Otherwise their number n, kappa, `labelled` (the share of
        them with a label), `correct` (the share of these labels that are correct), accuracy and
        coverage of each class, and `by_confidence`, the share of as many labels that are correct
        if they are chosen by confidence, in all and of each class.

        `shifts`: for the labels of the criterion and for those kept, how much larger the share of
        each class is than in train.
    """
    classes = sorted(flow["kept"], key=int)  # codes; their names stand in flow["classes"]
    criterion = "agreed" if len(flow["teachers"]) > 1 else "answered"

    def stage(
        name: str, by_class: Mapping[str, int] | None, posts: int | None = None
    ) -> dict[str, Any]:
        counts = [by_class[code] for code in classes] if by_class else None
        posts = sum(counts or ()) if posts is None else posts
        return {
            "name": name,
            "posts": posts,
            "share": posts / flow["pool"] if flow["pool"] else 0,
            "counts": counts,
        }

    scored = "scored by both teachers" if criterion == "agreed" else "scored by the teacher"
    stages = [
        stage("pool", None, flow["pool"]),
        stage(scored, None, flow["scored"]),
        stage(criterion, flow[criterion]),
    ]
    for name, key in (("outside the held-out fold", "beside"), ("budget", "budget")):
        stages += [stage(name, flow[key])] if flow[key] else []
    stages.append(stage("kept", flow["kept"]))
    gold = flow["gold"]
    if gold:
        per_class = [gold["classes"][code] for code in classes]
        labelled = sum(counts[criterion] for counts in per_class)
        correct = sum(counts[criterion] * (counts["accuracy"] or 0) for counts in per_class)
        gold = {
            **gold,
            "labelled": gold[criterion],
            "correct": correct / labelled if labelled else None,
            "classes": per_class,
            "posts": [gold["posts"][code] for code in classes],
        }
        if gold["by_confidence"]:
            by_class = gold["by_confidence"]["classes"]
            gold["by_confidence"] = {
                **gold["by_confidence"],
                "classes": [by_class[code] for code in classes],
            }
    train = [flow["train"][code] for code in classes]
    shifts = {
        name: prior_shift([flow[name][code] for code in classes], train)
        for name in (criterion, "kept")
    }
    teachers = [
        {
            "name": name,
            "temperature": temperature,
            "accuracy": gold["accuracy"][i] if gold else None,
        }
        for i, (name, temperature) in enumerate(zip(flow["teachers"], flow["temperatures"]))
    ]
    return {
        **{key: flow[key] for key in ("node", "keep", "share", "above", "balance", "fit")},
        "recipe": recipe,
        "criterion": criterion,
        "classes": flow["classes"],
        "stages": stages,
        "shifts": shifts,
        "gold": gold,
        "teachers": teachers,
    }


def entries(files: Mapping[tuple[str, str], Any]) -> Entries:
    """Return the label flow of each node."""
    return [label_flow_table(flow, recipe) for (recipe, _), flow in files.items()]


def teacher_rows(flows: Entries) -> Entries:
    """Return the rows of teachers.csv, of all or of one class each.

    On gold posts: `coverage`, the share of posts with a label; `accuracy`, the share of labels that
    are correct; `accuracy by confidence`, the same for as many labels chosen by confidence; the
    `accuracy of a teacher` alone; `kappa` and `error correlation` of two teachers. On the pool:
    `shift of labels` and `shift of kept`, how much larger the share of a class is than in train.

    Parameters
    ----------
    flows
        Tables of `label_flow_table`.
    """
    return [row for flow in flows for row in _teacher_rows(flow)]


def _teacher_rows(flow: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the rows of one node."""
    named = {key: flow[key] for key in ("recipe", "node", "keep")}
    counts = {stage["name"]: stage["posts"] for stage in flow["stages"]}
    if gold := flow["gold"]:
        on_gold = {**named, "dataset": flow["fit"]}
        called = [own[flow["criterion"]] for own in gold["classes"]]
        by_confidence = gold["by_confidence"] or {}
        measures: list[tuple[str, Any, Sequence[Any], int, Sequence[int]]] = [
            ("coverage", gold["labelled"], _of(gold, "coverage"), gold["n"], gold["posts"]),
            ("accuracy", gold["correct"], _of(gold, "accuracy"), sum(called), called),
            (
                "accuracy by confidence",
                by_confidence.get("accuracy"),
                by_confidence.get("classes", []),
                sum(called),
                called,
            ),
        ]
        for measure, value, by_class, posts, class_posts in measures:
            if value is not None:
                yield {**on_gold, "measure": measure, "value": value, "posts": posts}
            for label, own, n in zip(flow["classes"], by_class, class_posts, strict=False):
                row = {**on_gold, "measure": measure, "class": label}
                yield {**row, "value": own, "posts": n}
        for teacher in flow["teachers"]:
            row = {**on_gold, "measure": "accuracy of a teacher", "teacher": teacher["name"]}
            yield {**row, "value": teacher["accuracy"], "posts": gold["n"]}
        for measure in ("kappa", "error correlation"):
            if (value := gold[measure.replace(" ", "_")]) is not None:
                yield {**on_gold, "measure": measure, "value": value, "posts": gold["n"]}
    for name, measure in ((flow["criterion"], "shift of labels"), ("kept", "shift of kept")):
        for label, value in zip(flow["classes"], flow["shifts"][name] or [], strict=False):
            row = {**named, "dataset": "pool", "measure": measure, "class": label}
            yield {**row, "value": value, "posts": counts[name]}


def _of(gold: Mapping[str, Any], key: str) -> list[Any]:
    """Return one figure of each class."""
    return [own[key] for own in gold["classes"]]


SECTION = Section(
    "label",
    "flow",
    "Label flow",
    ("RECIPE", "NODE"),
    "label flow of each label node",
    entries,
    teachers=teacher_rows,
)
