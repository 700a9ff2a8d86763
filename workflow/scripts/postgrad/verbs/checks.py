"""What must hold for the nodes of a recipe: each function raises Fault with place, finding and remedy.

Here are options that are given and read, teachers that differ, calibrations that have what they need, and the leave for
posts to go to an endpoint. What a single file must hold stands in workflow/schemas, which posts a node may read in
graph/split_rules.py, and what holds for task files in config/task_files.py.
"""

from postgrad.config.errors import Fault, lookup
from postgrad.config.yaml_files import as_list
from postgrad.graph.options import missing, options
from postgrad.graph.queries import models_under, scored
from postgrad.graph.split_rules import once_each, untouched
from postgrad.records.names import FOLD, HELD_OUT

# Where a node says otherwise, only the kinds of model that read the option can do it.
USUAL = {
    "answers": "words",
    "loss": "cross-entropy",
    "head": "linear",
    "pooling": "pooler",
    "drw": None,
    "epoch": "last",
}


def calibrates(body, values):
    """Whether a label's posts hang on temperatures: one teacher's answers are ordered by its own probabilities.

    values: the options at one point.
    """
    return len(body.get("teachers", [])) > 1 and values.get("keep") in ("confidence", "random")


def labelled(graph, body, values, fit, where):
    """Why a label node is not run, or None; Fault where teachers, budget and share do not fit the way to keep.

    values: as of `missing`. fit: the gold split, or None.
    """
    lacking = None
    for keep in values.get("keep", []):
        if keep == "agreement" and "budget" in body:
            raise Fault(
                f"{where}.budget: agreement keeps what the teachers agree on; leave the budget to its controls."
            )
        if keep == "agreement" and len(body.get("teachers", [])) == 1:
            raise Fault(f"{where}.teachers: agreement is of two; name a second one, or keep confidence or random.")
        given = [key for key, there in (("budget", body), ("share", values)) if key in there]
        if keep != "agreement" and len(given) != 1 and (given or graph.sound):
            found = "found both; leave one out" if given else "found neither"
            raise Fault(
                f"{where}: keep {keep} needs a budget, the label node whose counts it keeps to, or a share; {found}."
            )
        if calibrates(body, {"keep": keep}) and not fit:
            lacking = f"{graph.tasks[body['label'].partition('/')[0]]} has no split dev, to calibrate teachers on"
    return lacking


def other_labels(graph, task, values):
    """Why a node is not run that names labels which the study's task in its place has not, or None.

    Where no study has put another task there, `node` raises Fault instead. values: as of `missing`.
    """
    bound = graph.study.bind.get(graph.recipe, {}).get(task)
    names = {label["name"] for label in graph.study.task(bound)["labels"]} if bound else set()
    for value in values.get("class_weights", []) if names else []:
        if isinstance(value, dict) and value.keys() != names:
            return f"its class_weights are of other labels than those of {bound}"
    for key in ("classes", "check", "otherwise") if names else ():
        for label in (label for value in values.get(key, []) for label in as_list(value)):
            if label not in names | {"proposed"}:
                return f"{bound} has no label {label}, which stands under {key}"
    return None


def reason_not_to_run(graph, verb, body, kind, root):
    """Why a node with a sound file has no place at this scale, or None."""
    if root and kind is None:
        return f"scale {graph.study.scale_name} has no model in the place of {root}"
    if verb in ("pretrain", "finetune") and kind in ("endpoint", "stand-in"):
        return f"{verb} needs weights; {root} is of kind {kind} at this scale"
    if verb == "pretrain" and kind == "linear":
        return f"pretraining needs a network; {root} is a linear model at this scale"
    for key, usual in USUAL.items():
        if body.get(key, usual) != usual and key not in options(verb, kind):
            kinds = " or ".join(options(verb)[key]["kinds"])
            return f"{key} {body[key]} needs a model of kind {kinds}; {root} is of kind {kind} at this scale"
    return None


def posts_leave(study, base, task, where):
    """Nothing; Fault where posts of a task would go to an endpoint without the data agreement's and the study's leave.

    base: the model of bases.yaml that a node asks, where: the node's place. An address on this machine makes no
    difference, since it may be a tunnel.
    """
    if study.bases.get(base, {}).get("kind") != "endpoint":
        return
    finding = f"{where}: {base} is an endpoint, and"
    if not study.task(task).get("endpoints", False):
        raise Fault(
            f"{finding} no post of {task} goes to one; name another base, or, if the data agreement allows it, write "
            f"endpoints: true in {study.root}/tasks/{task}.yaml."
        )
    if study.endpoints is None:
        raise Fault(
            f"{finding} this study sends no posts to one; name another base, or write endpoints: {{requests: 1000, "
            f"tokens: 1000000}}, the most to spend, in {study.where}."
        )


def node(graph, made, where):
    """Nothing; Fault for a resolved node that would make nothing, or whose teachers are one model."""
    if made.verb == "augment" and not (made.options.get("copies") or made.options.get("fill") or made.budget):
        raise Fault(f"{where}: nothing to make; set copies to a number from 1, fill: largest, or a budget.")
    key = {"augment": "fill", "resample": "to"}.get(made.verb)
    if key and made.budget and key in made.options:
        raise Fault(f"{where}: {key} and budget both say how many posts there are; leave one out.")
    if made.verb == "resample" and not made.budget and "to" not in made.options and graph.sound:
        raise Fault(f"{where}: resample needs to, the size of each class, or a budget, a dataset of that size.")
    if made.verb in ("augment", "synthesize"):
        names = [label["name"] for label in graph.study.task(graph.tasks[made.task])["labels"]]
        for label in made.options.get("classes", []) if names else []:  # none where the task's file is broken
            lookup(dict.fromkeys(names), label, f"{where}.classes", "label")
    if made.verb == "synthesize":
        written(graph, made, where)
    if made.options.get("drw") is not None:
        share, epochs = made.options["drw"], made.options["epochs"]
        if share * epochs < 1:
            raise Fault(f"{where}.drw: {share:g} of {epochs:g} epochs is before the second, so nothing is deferred; "
                        "train for more epochs, or leave it out.")  # fmt: skip
        if made.options["class_weights"] != "none":
            raise Fault(f"{where}.drw: it sets the weights of the classes itself; write class_weights: none beside it.")
    if isinstance(given := made.options.get("class_weights"), dict):
        task = graph.tasks[made.task]
        names = [label["name"] for label in graph.study.task(task)["labels"]]
        if names and graph.sound and given.keys() != set(names):
            raise Fault(f"{where}.class_weights: give each label of {task} a weight: {', '.join(names)}.")
    fewest, most = made.options.get("ngrams", (1, 1))
    if fewest > most:
        raise Fault(f"{where}.ngrams: {[fewest, most]} holds no length of a term; write the smaller first.")
    pooled = {split: id for id in made.folds for split in graph.nodes[id].sources if id in made.sources}
    for source in made.sources:
        if source in pooled:
            name = graph.nodes[pooled[source]].name
            raise Fault(f"{where}: {source} stands in {name} already, in folds; name only {name}.")
    once_each(graph, made, where)
    if FOLD in made.axes and len(made.folds) > 1:
        raise Fault(
            f"{where}: it stands on {' and '.join(made.folds)}, which hold out other posts; let all under it share one "
            "dataset made by fold, or let a vote reduce fold first."
        )
    if made.fit:
        for id in made.members:
            untouched(graph, graph.nodes[id], made.fit, f"{where}.{'teachers' if made.verb == 'label' else 'fit'}")
        held = {frozenset(graph.nodes[fold].sources) for id in made.members for fold in graph.nodes[id].folds}
        if made.fit.endswith(f"/{HELD_OUT}") and len(held) > 1:
            raise Fault(
                f"{where}: {' and '.join(made.members)} stand on folds of different splits; fold the same ones."
            )
    if made.verb == "calibrate":
        calibrated(graph, made, where)
    if made.part and made.part[1] * made.options.get("share", 0) > 1 + 1e-9:
        share, k = made.options["share"], made.part[1]
        raise Fault(
            f"{where}.share: {share:g} of the posts for each of {k} folds is more than all of them; write "
            f"{1 / k:.3g} at most, or leave folds out."
        )
    if made.verb == "label" and len(made.members) > 1:
        one, other = (graph.nodes[id] for id in made.members)
        if described(one) == described(other):
            raise Fault(
                f"{where}.teachers: {one.name} and {other.name} are the same model ({one.base}) trained in the same "
                "way at this scale, so they agree on everything; give them different bases or seeds."
            )


def written(graph, made, where):
    """Nothing; Fault where a synthesize node could not get its posts, or they would lack what its task's have."""
    name, options = graph.tasks[made.task], made.options
    task = graph.study.task(name)
    parts = [task["splits"].get("train") or {}, task.get("divide", {})]
    if any("keyword" in part.get("columns", {}) for part in parts):
        raise Fault(
            f"{where}: the posts of {name} have a keyword each, and a written post has none; choose another task."
        )
    calls, posts, count = (options.get(key) for key in ("calls", "per_call", "count"))
    if None not in (calls, posts, count) and calls * posts * len(made.asked) < count:
        raise Fault(
            f"{where}.calls: {calls} calls of {posts} posts to each of {len(made.asked)} writers cannot give {count}; "
            "write more calls, or a smaller count."
        )
    local = [model for model in made.asked if graph.study.bases[model]["kind"] == "causal"]
    if local and options.get("temperature"):
        raise Fault(f"{where}.temperature: {local[0]} is a model in a folder and writes the likeliest word alone; "
                    "write temperature: 0, or name an endpoint.")  # fmt: skip


def calibrated(graph, made, where):
    """Nothing; Fault where a calibration has not what its method needs."""
    method, name = made.options.get("method"), graph.tasks[made.task]
    task, place = graph.study.task(name), f"{graph.study.root}/tasks/{name}.yaml"
    names = [label["name"] for label in task["labels"]]
    if not names:  # the task's file is broken, which is told already
        return
    if method == "threshold" and set(task.get("positive", [])) in (set(), set(names)):
        raise Fault(f"{where}.method: a threshold parts positive classes from others, and {place} names none.")
    if method == "threshold" and task.get("metric") == "auc":
        raise Fault(f"{where}.method: no threshold changes an AUC, the metric of {place}; choose temperature.")
    if method != "prior":
        return
    if made.target is None:
        raise Fault(f"{where}: method prior needs a target; write target: uniform, shares, or a split without labels.")
    if isinstance(made.target, dict):
        if made.target.keys() != set(names):
            raise Fault(f"{where}.target: give each label of {place} a share: {', '.join(names)}.")
        if abs(sum(made.target.values()) - 1) > 1e-9:
            raise Fault(f"{where}.target: the shares sum to {sum(made.target.values()):g}; make them sum to 1.")
    first, *others = [model for id in made.members for model in models_under(graph, id)]
    for other in others:
        if learnt_from(graph, other) != learnt_from(graph, first):
            raise Fault(
                f"{where}.calibrate: {first} and {other} learn from different posts, so there is no one class prior "
                "to take out; calibrate each by itself, and vote or pick behind that."
            )


def learnt_from(graph, model):
    """What a model learns from, whichever fold it leaves out: folds are stratified, so their class shares agree."""
    sources = graph.nodes[model].sources
    folded = [source for source in sources if source in graph.nodes and graph.nodes[source].verb == "fold"]
    splits = {split for source in folded for split in graph.nodes[source].sources}
    return splits | {_beside_folds(graph, source) for source in sources if source not in folded}


def _beside_folds(graph, source):
    """A split, or the name of a dataset node and its axes but for the fold."""
    if source not in graph.nodes:
        return source
    axes = graph.nodes[source].axes
    return graph.nodes[source].name, *((key, value) for key, value in sorted(axes.items()) if key != FOLD)


def described(teacher):
    """All that decides a teacher's logits; a linear model's do not hang on its seed."""
    values = {key: value for key, value in teacher.options.items() if (key, teacher.kind) != ("seed", "linear")}
    return teacher.verb, teacher.base, teacher.sources, teacher.members, teacher.target, values


def missing_to_predict(graph):
    """(node's name, options of predict that are given nowhere) of the models that are asked for predictions."""
    asked = {id for made in graph.nodes.values() for id in made.members} | {made.id for made, _ in scored(graph)}
    for made in (graph.nodes[id] for id in sorted(asked)):
        if made.verb == "finetune":
            yield made.name, missing("predict", made.kind, graph.study.predict_options(graph, made))
