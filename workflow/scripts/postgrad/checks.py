"""What must hold between the files of a study: each function raises Fault with place, finding and remedy.

What a file alone must hold stands in workflow/schemas. Here are the splits that a verb may read, teachers
that differ, labels that the task has, options that are given, and raw files that are there.
"""

import codecs
import re

from postgrad.configuration import Fault, Faults, as_list, found, lookup, nearest
from postgrad.options import options, read
from postgrad.vocabulary import AT, FOLD, HELD_OUT, SPLITS

# Which splits a verb, or a key of a predictor, may read: what is chosen or scored on is never trained on, and only
# gold has labels to learn.
READABLE = {
    "augment": ("train",),
    "label": ("unlabeled",),
    "pretrain": ("train", "unlabeled"),
    "finetune": ("train",),
    "fold": ("train", "dev"),  # what is chosen or scored is then the held-out predictions
    "fit": ("dev", HELD_OUT),
    "target": ("unlabeled",),
}
SCORED = ("test", "cross")
# Where a node says otherwise, only the kinds of model that read the option can do it.
USUAL = {
    "answers": "words",
    "loss": "cross-entropy",
    "head": "linear",
    "pooling": "pooler",
    "drw": None,
    "epoch": "last",
}


# -- nodes of a recipe -----------------------------------------------------------------------------


def split_of(graph, name, where):
    """(the recipe's name of the task, split) of `ages/train`; Fault where either does not exist."""
    alias, _, part = name.partition("/")
    lookup(graph.tasks, alias, where, "task")
    if part not in (*SPLITS, HELD_OUT):
        raise Fault(f"{where}: {name!r}: {part!r} is not a split; {nearest(part, (*SPLITS, HELD_OUT))}")
    return alias, part


def split(graph, reader, body, source, where):
    """Why a node is not run for want of a split, or None; Fault where it would read one that it may not.

    reader: the verb, or the key of a predictor, fit or target, that names the split.
    """
    if "/" not in source:
        return None
    where = f"{where}.{'data' if reader in ('pretrain', 'finetune') else reader}"
    alias, part = split_of(graph, source, where)
    allowed = READABLE[reader]
    if "transductive" in body and body["transductive"] is True and reader != "fit":
        allowed += SCORED
    if part not in allowed:
        names = " or ".join(f"{alias}/{name}" for name in READABLE[reader])
        if part == "dev":
            why = "is a dev set, which is there to choose on and never to train on"
        elif part in SCORED:
            why = "is a test set"
            if reader in ("label", "pretrain", "target"):
                names += ", or mark the node with transductive: true, which the report then tells"
        elif part == HELD_OUT:
            why = "names predictions of held-out posts, to score and to fit on"
        else:
            why = "is what models learn from" if part == "train" else "has no labels to learn"
        raise Fault(f"{where}: {source} {why}; {reader} may read {names}.")
    task = graph.tasks[alias]
    return None if part in (*graph.study.task(task)["splits"], HELD_OUT) else f"{task} has no split {part}"


def labelled(graph, body, where):
    """Why a label node is not run, or None; Fault where budget and the way to keep do not fit."""
    keep = body.get("keep", graph.defaults.get("label", {}).get("keep"))
    if keep == "agreement" and "budget" in body:
        raise Fault(f"{where}.budget: agreement keeps what the teachers agree on; leave the budget to its controls.")
    if keep in ("confidence", "random") and "budget" not in body:
        raise Fault(f"{where}: keep {keep} is a control and needs a budget; name the node of agreed posts.")
    task = graph.tasks[body["label"].partition("/")[0]]
    return None if "dev" in graph.study.task(task)["splits"] else f"{task} has no split dev, to calibrate teachers on"


def no_dev(graph, task, values):
    """Why a node is not run for want of a split to choose its epoch on, or None. values: as of `missing`."""
    if task is None or "best" not in values.get("epoch", []) or "dev" in graph.study.task(graph.tasks[task])["splits"]:
        return None
    return f"{graph.tasks[task]} has no split dev, to choose an epoch on"


def scored_split(graph, name, where):
    """Whether a task has the split on which is scored; Fault where it can have no gold labels."""
    alias, part = split_of(graph, name, where)
    if part == "unlabeled":
        raise Fault(f"{where}: {name} has no gold labels to score on; name one of {', '.join(SPLITS[:-1])}.")
    return part in (*graph.study.task(graph.tasks[alias])["splits"], HELD_OUT)


def untouched(graph, made, dataset, where):
    """Nothing; Fault where a predictor has learnt the gold labels of a dataset that it is scored or fitted on."""
    alias, _, part = dataset.partition("/")
    if part == HELD_OUT and (why := never_held_out(graph, made)):
        raise Fault(f"{where}: {dataset} is not there: {why}.")
    if part == "dev" and dataset in made.learnt:
        raise Fault(
            f"{where}: {made.name} learns from {dataset} in folds; fold train alone, or score and fit on "
            f"{alias}/{HELD_OUT}."
        )


def never_held_out(graph, made):
    """Why a predictor has no predictions of all held-out posts, with the remedy, or None."""
    if FOLD in made.axes:
        return f"{made.name} is made for each fold, and each holds out other posts; name a vote over fold"
    if not made.folds:
        return f"{made.name} learns from no dataset made by fold, so no post is held out from it; name test or dev"
    if len({frozenset(graph.nodes[id].sources) for id in made.folds}) > 1:
        return f"{made.name} stands on folds of different splits; fold the same ones"
    below = [graph.nodes[id] for id in made.members]
    if made.verb == "vote":
        below = [member for member in below if FOLD not in member.axes]
    return next(filter(None, (never_held_out(graph, member) for member in below)), None)


def seen_before(graph, made, below):
    """Whether what a node of one fold stands on has learnt, outside the folds, labels that it holds out.

    A base does, or a label's teachers. Posts made from train do not count: those of the fold are left out.
    """
    held = {split for id in made.folds for split in graph.nodes[id].sources} if FOLD in made.axes else set()
    return any(held & {*node.learnt} for node in below if FOLD not in node.axes and node.verb != "augment")


def kind_at_scale(study, base, where):
    """The kind of model that a base is at the study's scale; None where the scale says that there is none."""
    place = f"{study.root}/scales/{study.scale_name}.yaml: bases"
    if base not in study.scale["bases"]:
        raise Fault(
            f"{where}: {place} does not name {base!r}; add it there, with the model that stands for it, or null."
        )
    model = study.model_of(base)
    return study.bases.get(model, {}).get("kind") if model else None


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


def missing(verb, kind, values):
    """The options that the verb reads and that are given nowhere. values: {option: list of those it may take}."""
    return tuple(
        key for key, body in read(verb, kind, values).items() if body.get("needed", True) and key not in values
    )


def unread(verb, kind, body, values, where):
    """Nothing; Fault for an option that a node gives and that nothing there reads. values: as of missing."""
    own = [body, body.get("faithful", {})]
    values = {key: [*values.get(key, []), *(part[key] for part in own if key in part)] for key in options(verb, kind)}
    for key in values.keys() - read(verb, kind, values).keys():
        if any(key in part for part in [*own, body.get("each", {})]):
            (other, wanted), *_ = options(verb, kind)[key]["when"].items()
            if not values[other]:  # misspelt, say, and told already
                continue
            raise Fault(f"{where}.{key}: nothing reads it here; leave it out, or write {other}: {' or '.join(wanted)}.")


def node(graph, made, where):
    """Nothing; Fault for a resolved node that would make nothing, or whose teachers are one model."""
    if made.verb == "augment" and not made.options.get("copies") and not made.options.get("fill"):
        raise Fault(f"{where}: nothing to make; set copies to a number from 1, or fill: largest.")
    if made.options.get("drw") is not None:
        share, epochs = made.options["drw"], made.options["epochs"]
        if share * epochs < 1:
            raise Fault(f"{where}.drw: {share:g} of {epochs:g} epochs is before the second, so nothing is deferred; "
                        "train for more epochs, or leave it out.")  # fmt: skip
        if made.options["class_weights"] != "none":
            raise Fault(f"{where}.drw: it sets the weights of the classes itself; write class_weights: none beside it.")
    fewest, most = made.options.get("ngrams", (1, 1))
    if fewest > most:
        raise Fault(f"{where}.ngrams: {[fewest, most]} holds no length of a term; write the smaller first.")
    pooled = {split: id for id in made.folds for split in graph.nodes[id].sources if id in made.sources}
    for source in made.sources:
        if source in pooled:
            name = graph.nodes[pooled[source]].name
            raise Fault(f"{where}: {source} stands in {name} already, in folds; name only {name}.")
    if FOLD in made.axes and len(made.folds) > 1:
        raise Fault(
            f"{where}: it stands on {' and '.join(made.folds)}, which hold out other posts; let all under it share one "
            "dataset made by fold, or let a vote reduce fold first."
        )
    if made.verb in ("calibrate", "pick", "label"):
        for id in made.members:
            fitted_on = f"{made.task}/dev" if made.verb == "label" else made.sources[0]
            untouched(graph, graph.nodes[id], fitted_on, f"{where}.{'teachers' if made.verb == 'label' else 'fit'}")
    if made.verb == "calibrate":
        calibrated(graph, made, where)
    if made.verb == "label":
        one, other = (graph.nodes[id] for id in made.members)
        if described(one) == described(other):
            raise Fault(
                f"{where}.teachers: {one.name} and {other.name} are the same model ({one.base}) trained in the same "
                "way at this scale, so they agree on everything; give them different bases or seeds."
            )


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
    first, *others = [model for id in made.members for model in graph.models_under(id)]
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
    return splits | {re.sub(f"{AT}{FOLD}=[0-9]+", "", source) for source in sources if source not in folded}


def described(teacher):
    """All that decides a teacher's logits; a linear model's do not hang on its seed."""
    values = {key: value for key, value in teacher.options.items() if (key, teacher.kind) != ("seed", "linear")}
    return teacher.verb, teacher.base, teacher.sources, teacher.members, teacher.target, values


def missing_to_predict(graph):
    """(node's name, options of predict that are given nowhere) of the models that are asked for predictions."""
    asked = {id for made in graph.nodes.values() for id in made.members} | {made.id for made, _ in graph.scored()}
    for made in (graph.nodes[id] for id in sorted(asked)):
        if made.verb == "finetune":
            yield made.name, missing("predict", made.kind, graph.study.predict_options(graph, made))


# -- tasks -----------------------------------------------------------------------------------------


def task(body, where):
    """Nothing; Fault, a sentence each, for what the parts of a task file say against each other."""
    faults = Faults()
    names = [label["name"] for label in body["labels"]]
    for key in ("name", "value", "word", "digit"):
        values = [str(label[key]) for label in body["labels"]]
        if twice := [value for i, value in enumerate(values) if value in values[:i]]:
            faults.append(f"{where}: labels: two labels have the {key} {twice[0]!r}; give each its own.")
    for label in body.get("positive", []):
        with faults.gathered():
            lookup(dict.fromkeys(names), label, f"{where}: positive", "label")
    if body["metric"] == "f1" and not body.get("positive"):
        faults.append(f"{where}: positive is missing; metric f1 needs the names of the positive classes.")
    if body["metric"] == "auc" and len(names) != 2:
        faults.append(f"{where}: metric: auc needs two labels, found {len(names)}; choose macro_f1.")
    for part in [_prompt, _splits, _divide]:
        with faults.gathered():
            part(body, where)
    faults.end()


def _prompt(body, where):
    text, where = body["prompt"], f"{where}: prompt"
    fields = re.findall(r"\{([^{}]*)\}", text)
    for field in fields:
        lookup(dict.fromkeys(["text", "keyword"]), field, where, "field")
    if fields.count("text") != 1:
        raise Fault(f"{where}: found {{text}} {fields.count('text')} times; write it once, where the post goes.")
    if text.rstrip().endswith("}"):
        raise Fault(f"{where}: it ends with a field; write a word after it, such as Answer:, for the answer to follow.")
    for split, part in body["splits"].items():
        if "keyword" in fields and part.get("columns") and "keyword" not in part["columns"]:
            raise Fault(f"{where}: it reads {{keyword}}, and splits.{split}.columns names no keyword; add it to one.")


def _splits(body, where):
    faults, parts = Faults(), body.get("divide", {}).get("parts", {})
    for split, part in body["splits"].items():
        place = f"{where}: splits.{split}"
        if not part:
            if split not in parts:
                faults.append(f"{place}: no file, and divide.parts does not name it; give it a file, or a part.")
            continue
        if ("file" in part) == ("files" in part):
            faults.append(f"{place}: say exactly one of file and files.")
        if split in parts:
            faults.append(f"{place}: it has a file, and divide.parts names it too; keep one.")
        columns = part.get("columns", {})
        labelled = split in ("train", "dev")
        for key in ["text", *(["label"] if labelled or "gold" in part else []), *(["id"] if "gold" in part else [])]:
            if key not in columns:
                faults.append(f"{place}.columns: {key} is missing; name the file's column.")
        select = part.get("select", {})
        if select.get("min_words", 0) > select.get("max_words", select.get("min_words", 0)):
            faults.append(f"{place}.select: min_words is more than max_words, so no post is left; exchange them.")
        with faults.gathered():
            _columns(body, part, place)
    faults.end()


def _divide(body, where):
    divide = body.get("divide")
    if divide is None:
        return
    faults, place = Faults(), f"{where}: divide"
    for split in divide["parts"]:
        with faults.gathered():
            lookup(body["splits"], split, f"{place}.parts", "split")
    if abs(sum(divide["parts"].values()) - 1) > 1e-9:
        faults.append(f"{place}.parts: the shares sum to {sum(divide['parts'].values()):g}; make them sum to 1.")
    if "label" not in divide["columns"]:
        faults.append(f"{place}.columns: label is missing; name the file's column.")
    with faults.gathered():
        _columns(body, divide, place)
    faults.end()


def _columns(body, part, where):
    """What a file's columns and encoding must be, in a split and in divide."""
    if isinstance(part.get("columns", {}).get("label"), dict) and len(body["labels"]) != 2:
        raise Fault(f"{where}.columns.label: among gives two classes, and the task has {len(body['labels'])} labels.")
    try:
        codecs.lookup(part.get("encoding", "utf-8"))
    except LookupError:
        name = found(part["encoding"])
        raise Fault(f"{where}.encoding: there is no encoding {name}; write utf-8, or cp1252 for old exports.") from None


def raw_files(body, files, where):
    """Nothing; Fault with a sentence for each raw file of a task that is not there.

    files: (key path in the task file, part of the file, paths) as Study.raw_parts gives them.
    """
    faults = Faults()
    for key, part, paths in files:
        for path in paths:
            if not path.is_file():
                columns = (c["column"] if isinstance(c, dict) else c for c in part["columns"].values())
                names = ", ".join(" or ".join(as_list(column)) for column in columns)
                state = "is no file" if path.exists() else "is not there"
                faults.append(f"{where}: {key}: {path} {state}; expected are the columns {names}; {body['source']}.")
    faults.end()
