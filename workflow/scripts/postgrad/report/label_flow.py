"""The section on pseudo-labels: how many posts of a pool are kept, and with which labels."""

from collections.abc import Mapping
from typing import Any

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
        them with a label), `correct` (the share of these labels that are correct), and accuracy
        and coverage of each class.
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
        "gold": gold,
        "teachers": teachers,
    }


def entries(files: Mapping[tuple[str, str], Any]) -> Entries:
    """Return the label flow of each node."""
    return [label_flow_table(flow, recipe) for (recipe, _), flow in files.items()]


SECTION = Section(
    "label", "flow", "Label flow", ("RECIPE", "NODE"), "label flow of each label node", entries
)
