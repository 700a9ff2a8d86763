"""The section on pseudo-labels: how many posts of a pool reach training, and with which labels."""

from collections.abc import Mapping
from typing import Any

from postgrad.report.sections import Entries, Section


def flow_table(flow: Mapping[str, Any], recipe: str) -> dict[str, Any]:
    """A label flow as {recipe, node, keep, share, above, balance, fit, said, teachers, classes,
    stages, gold}.

    said: `agreed` of two teachers, `answered` of one. stages: {name, posts, share of the pool,
    counts (posts a class, or None)}. gold, None without gold posts on `fit`: n, kappa, said (share
    of posts with a label), right (share of these labels), classes: {accuracy, coverage} each.
    """
    classes = sorted(flow["kept"], key=int)  # codes; their names stand in flow["classes"]
    said = "agreed" if len(flow["teachers"]) > 1 else "answered"

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

    scored = "scored by both teachers" if said == "agreed" else "scored by the teacher"
    stages = [
        stage("pool", None, flow["pool"]),
        stage(scored, None, flow["scored"]),
        stage(said, flow[said]),
    ]
    for name, key in (("beside the held-out fold", "beside"), ("budget", "budget")):
        stages += [stage(name, flow[key])] if flow[key] else []
    stages.append(stage("kept", flow["kept"]))
    gold = flow["gold"]
    if gold:
        per_class = [gold["classes"][code] for code in classes]
        named = sum(one[said] for one in per_class)
        right = sum(one[said] * (one["accuracy"] or 0) for one in per_class)
        gold = {
            **gold,
            "said": gold[said],
            "right": right / named if named else None,
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
        "said": said,
        "classes": flow["classes"],
        "stages": stages,
        "gold": gold,
        "teachers": teachers,
    }


def entries(files: Mapping[tuple[str, str], Any]) -> Entries:
    """The label flow of each node."""
    return [flow_table(flow, recipe) for (recipe, _), flow in files.items()]


SECTION = Section(
    "label", "flow", "Label flow", ("RECIPE", "NODE"), "label flow of each label node", entries
)
