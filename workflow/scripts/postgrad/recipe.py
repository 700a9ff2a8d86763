"""A recipe resolved to a graph of named nodes.

A recipe names datasets, models and predictors; every name carries one verb. Here the names become
nodes with their options resolved (defaults, scale, node, faithful: the later wins), multiplied over
their `each:` axes and joined on equal values of shared axes. Nothing heavy is imported: Snakemake
reads this at every start.
"""

import re
from dataclasses import dataclass, field
from itertools import product

from postgrad.configuration import Fault, as_list, lookup, nearest
from postgrad.vocabulary import SPLITS

SECTIONS = {
    "datasets": ("augment", "label"),
    "models": ("pretrain", "finetune"),
    "predictors": ("vote",),
}
VERBS = tuple(verb for verbs in SECTIONS.values() for verb in verbs)
# Which splits a verb may read: what is scored is never trained on, and only gold has labels to learn.
READABLE = {
    "augment": ("train",),
    "label": ("unlabeled",),
    "pretrain": ("train", "unlabeled"),
    "finetune": ("train",),
}
RESERVED = ("clean", "base", "audit", "demo", "report")

# The options that each kind of model reads. What a kind does not read stays out of its spec, so that
# a new prompt retrains causal models only.
_OPTIMISER = "batch lr schedule warmup weight_decay epochs checkpoint_steps".split()
_NETWORK = "max_length precision attention threads".split()
_TRAINING = [*_OPTIMISER, *_NETWORK, "seed", "frozen", "dropout"]
OPTIONS = {
    ("pretrain", "encoder"): [*_TRAINING, "tokens", "rows", "mask"],
    ("pretrain", "causal"): [*_TRAINING, "tokens", "rows"],
    ("finetune", "encoder"): [*_TRAINING, "epoch", "loss", "class_weights"],
    ("finetune", "causal"): [*_TRAINING, "epoch", "loss", "class_weights", "answers"],
    ("finetune", "linear"): ["seed", "threads", "class_weights", "ngrams", "c"],
    ("predict", "encoder"): [*_NETWORK, "batch_tokens"],
    ("predict", "causal"): [*_NETWORK, "batch_tokens", "answers"],
    ("predict", "linear"): ["threads"],
    ("augment", None): ["method", "copies", "fill", "split", "seed"],
    ("label", None): ["keep", "balance", "seed"],
    ("vote", None): ["rule", "ties"],
}
REFERENCES = {"data", "teachers", "budget", "each", "over", "faithful"}


@dataclass(frozen=True)
class Node:
    """One node at one point of its axes, for example ages-expert at seed 1."""

    recipe: str
    name: str
    verb: str
    axes: dict
    options: dict
    sources: list  # names with a slash (splits) and ids of nodes: what `data`, `augment`, `label` name
    base: str | None = None  # a model of the scale, or the id of a model node
    members: list = field(default_factory=list)  # ids of teachers or of a vote's members
    budget: str | None = None
    kind: str | None = None  # causal, encoder, linear; None for datasets and votes
    task: str | None = None  # the recipe's name for the task; None where the labels play no part

    @property
    def id(self):
        return ",".join([self.name, *(f"{key}={value}" for key, value in sorted(self.axes.items()))])


class Graph:
    """A recipe under one scale and mode: nodes by id, what is not run and why, and the deviations.

    Raises Fault for unknown names and keys, cycles, mixed tasks and joins without a match.
    """

    def __init__(self, study, recipe, raw):
        self.study, self.recipe, self.where = study, recipe, f"config/recipes/{recipe}.yaml"
        self.title, self.readings = raw["title"], raw.get("readings", [])
        self.paper_tasks = raw["tasks"]
        self.tasks = {**raw["tasks"], **study.bind.get(recipe, {})}
        for alias, task in self.tasks.items():
            lookup(raw["tasks"], alias, f"{study.where}: bind.{recipe}", "task")
            study.task(task)
        self.defaults = raw.get("defaults", {})
        self.raw = {}
        for section, verbs in SECTIONS.items():
            for name, body in raw.get(section, {}).items():
                self._declare(section, verbs, name, body)
        self.nodes, self.not_run, self.deviations, self._open = {}, {}, [], []
        self.ids = {}  # name -> ids
        for name in self.raw:
            self._resolve(name)
        self.score, self.compare = self._targets(raw)

    def _declare(self, section, verbs, name, body):
        where = f"{self.where}: {section}.{name}"
        found = [verb for verb in verbs if verb in body]
        if len(found) != 1:
            raise Fault(f"{where}: say exactly one of {', '.join(verbs)}; found {', '.join(found) or 'none'}.")
        taken = {*self.study.bases, *self.tasks, *VERBS, *RESERVED, *self.raw}
        if not re.fullmatch("[a-z0-9][a-z0-9-]*", name):
            raise Fault(f"{where}: a name is made of lower-case letters, digits and hyphens; rename {name!r}.")
        if name in taken:
            raise Fault(f"{where}: {name!r} is already a base, a task, a verb or a node; choose another name.")
        self.raw[name] = (found[0], body)

    # -- one name -> its nodes --------------------------------------------------------------------

    def _resolve(self, name):
        if name in self.ids:
            return self.ids[name]
        if name in self._open:
            raise Fault(f"{self.where}: {' -> '.join([*self._open, name])} is a cycle; break it.")
        self._open.append(name)
        verb, body = self.raw[name]
        where = f"{self.where}: {name}"
        sources = as_list(body.get("data", [] if verb in ("pretrain", "finetune", "vote") else body[verb]))
        members = as_list(body.get("teachers", body[verb] if verb == "vote" else []))
        base = body[verb] if verb in ("pretrain", "finetune") else None
        root, kind = self.root(name) if base else (None, None)
        options, each = self._options(name, verb, body, root, kind, where)

        names = [s for s in sources if "/" not in s] + members + as_list(body.get("budget", []))
        names += [base] if base in self.raw else []
        lacking = self._lacking(sources, verb, where)
        reason = lacking or self._reason_not_to_run(verb, kind, options, root) or self._blocked(names, where)
        self._check_teachers(members, where) if verb == "label" and not reason else None
        task = self._task(sources, members, where) if verb != "pretrain" else None
        points = self._points(verb, each, names, body.get("over"), where)
        self.ids[name] = []
        if reason:
            self.not_run[name] = reason
            points = []
        for axes, own, bound in points:
            resolved = {**options, **own}
            model = self.study.model_of(root) if base and base not in self.raw else None
            node = Node(
                recipe=self.recipe,
                name=name,
                verb=verb,
                axes=axes,
                options=resolved,
                sources=[s if "/" in s else bound[s][0] for s in sources],
                base=bound[base][0] if base in self.raw else model,
                members=[id for member in dict.fromkeys(members) for id in bound[member]],
                budget=bound[body["budget"]][0] if "budget" in body else None,
                kind=kind,
                task=task,
            )
            self.nodes[node.id] = node
            self.ids[name].append(node.id)
        self._open.pop()
        return self.ids[name]

    def _options(self, name, verb, body, root, kind, where):
        """Resolved options and axes, and a note of each deviation from the paper."""
        scale = self.study.scale["bases"].get(root, {}).get(verb, {}) if root else {}
        default = dict(self.defaults.get(verb, {}))
        node = {key: value for key, value in body.items() if key != verb and key not in REFERENCES}
        faithful = dict(body.get("faithful", {}))
        each = {**default.pop("each", {}), **body.get("each", {})}
        known = OPTIONS.get((verb, kind), [])
        legal = {key for (v, _), keys in OPTIONS.items() if v == verb for key in keys}
        for level, keys in (("defaults", default), ("scale", scale), ("node", {**node, **faithful, **each})):
            for key in keys:
                if key not in legal:
                    raise Fault(f"{where}: {verb} has no option {key!r} (from {level}); {nearest(key, legal)}")
        for key in {**node, **scale}:
            each.pop(key, None) if key not in body.get("each", {}) else None
        paper = {**default, **node, **faithful}
        used = {**default, **scale, **node, **(faithful if self.study.mode == "faithful" else {})}
        for key in known:
            if key in each:
                continue
            if key in faithful and self.study.mode != "faithful":
                self._deviate(name, key, paper[key], used.get(key), f"mode {self.study.mode}")
            elif key in scale and used.get(key) != paper.get(key):
                self._deviate(name, key, paper.get(key), used[key], f"scale {self.study.scale_name}")
        if "seed" in each and isinstance(each["seed"], list) and len(each["seed"]) > self.study.seeds:
            self._deviate(name, "seed", each["seed"], each["seed"][: self.study.seeds], "study")
            each["seed"] = each["seed"][: self.study.seeds]
        return {key: used[key] for key in known if key in used}, {k: v for k, v in each.items() if k in known}

    def _deviate(self, node, key, paper, used, why):
        self.deviations.append({"node": node, "key": key, "paper": paper, "used": used, "why": why})

    def _points(self, verb, each, names, over, where):
        """Every (axes, own option values, ids bound to each name) of a node."""
        own = []
        for values in product(*(v.items() if isinstance(v, dict) else [(x, x) for x in v] for v in each.values())):
            keys = list(each)
            own.append((dict(zip(keys, (v[0] for v in values))), dict(zip(keys, (v[1] for v in values)))))
        names = list(dict.fromkeys(names))
        if verb == "vote":
            ids = [id for name in names for id in self._resolve(name)]
            axes = {key for id in ids for key in self.nodes[id].axes}
            kept = axes - set(over or axes)
            groups = {}
            for id in ids:
                point = tuple(sorted((k, v) for k, v in self.nodes[id].axes.items() if k in kept))
                groups.setdefault(point, {name: [] for name in names})[self.nodes[id].name].append(id)
            return [(dict(point), {}, bound) for point, bound in groups.items()]
        points = [(axes, values, {}) for axes, values in own]
        for name in names:
            joined = []
            for axes, values, bound in points:
                for id in self._resolve(name):
                    other = self.nodes[id].axes
                    if all(axes[key] == other[key] for key in axes.keys() & other.keys()):
                        joined.append(({**axes, **other}, values, {**bound, name: [id]}))
            if points and self.ids[name] and not joined:
                raise Fault(f"{where}: no value of a shared axis of {name!r} is also one of this node's; check each:.")
            points = joined
        return points

    # -- look-ups on names ------------------------------------------------------------------------

    def _check_split(self, name, where):
        alias, _, split = name.partition("/")
        task = self.study.task(lookup(self.tasks, alias, where, "task"))
        if split not in SPLITS:
            raise Fault(f"{where}: {name!r}: {split!r} is not a split; {nearest(split, SPLITS)}")
        return split in task["splits"]

    def root(self, name):
        """The base that a model node stands on at the bottom, and its kind at this scale."""
        seen = [name]
        while True:
            verb, body = self.raw[seen[-1]]
            base = body[verb]
            if base not in self.raw:
                lookup(self.study.bases, base, f"{self.where}: {seen[-1]}.{verb}", "base or model")
                model = self.study.model_of(base)
                return base, self.study.bases[model]["kind"] if model else None
            if base in seen:
                raise Fault(f"{self.where}: {' -> '.join([*seen, base])} is a cycle; break it.")
            if self.raw[base][0] not in SECTIONS["models"]:
                raise Fault(f"{self.where}: {seen[-1]}.{verb}: {base!r} is no model but made by {self.raw[base][0]}.")
            seen.append(base)

    def _task(self, sources, members, where):
        tasks = {s.partition("/")[0] for s in sources if "/" in s}
        for name in [s for s in sources if "/" not in s] + members:
            tasks |= {self.nodes[id].task for id in self._resolve(name)}
        if len(tasks) > 1:
            raise Fault(f"{where}: the posts of one node carry labels of one task; found {', '.join(sorted(tasks))}.")
        return next(iter(tasks), None)

    def _lacking(self, sources, verb, where):
        """Why a node is not run for want of posts; a Fault where it would read a split that it may not."""
        if not sources and verb in READABLE:
            raise Fault(f"{where}: {verb} needs posts; name splits or datasets under data.")
        for source in (source for source in sources if "/" in source):
            found = self._check_split(source, where)
            if source.partition("/")[2] not in READABLE[verb]:
                allowed = " or ".join(f"{source.partition('/')[0]}/{split}" for split in READABLE[verb])
                raise Fault(f"{where}: {verb} may not read {source}; name {allowed}.")
            if not found:
                return f"{self.tasks[source.partition('/')[0]]} has no split {source.partition('/')[2]}"
        return None

    def _check_teachers(self, members, where):
        """Two teachers that are the same model trained on the same posts from the same seed agree on everything."""
        if len(members) != 2:
            raise Fault(f"{where}.teachers: label takes two teachers, found {len(members)}.")
        described = []
        for name in members:
            model = self.study.model_of(self.root(name)[0])
            body = {key: value for key, value in self.raw[name][1].items() if key != self.raw[name][0]}
            described.append((model, str(sorted(body.items()))))
        if described[0] == described[1]:
            raise Fault(
                f"{where}.teachers: {members[0]} and {members[1]} are the same model ({described[0][0]}) with the same "
                "options at this scale; give them different bases or seeds."
            )

    def _blocked(self, names, where):
        for name in names:
            lookup(self.raw, name, where, "node")
            self._resolve(name)
            if name in self.not_run:
                return f"needs {name}, which is not run"
        return None

    def _reason_not_to_run(self, verb, kind, options, root):
        if root and kind is None:
            return f"scale {self.study.scale_name} has no model in the place of {root}"
        if verb == "pretrain" and kind == "linear":
            return f"pretraining needs a network; {root} is a linear model at this scale"
        raw = self.raw[self._open[-1]][1]
        if raw.get("answers", "words") != "words" and kind != "causal":
            return f"answers as {raw['answers']} are a causal model's; {root} is of kind {kind} at this scale"
        return None

    # -- what is asked for ------------------------------------------------------------------------

    def _targets(self, raw):
        """score: predictor name -> datasets; compare: chain name -> {chain, controls, sets}.

        Splits that a task lacks drop out.
        """
        score, chains = {}, {}
        for name, body in raw.get("compare", {}).items():
            where = f"{self.where}: compare.{name}"
            chain, controls = as_list(body["chain"]), body.get("controls", {})
            if isinstance(controls, list):  # a list stands in the place of the chain's last node
                controls = dict.fromkeys(controls, chain[-1])
            for replaced in controls.values():
                lookup(dict.fromkeys(chain[1:]), replaced, f"{where}.controls", "later node of the chain")
            sets = [s for s in as_list(body["sets"]) if self._check_split(s, where)]
            chains[name] = {"chain": chain, "controls": controls, "sets": sets}
            for node in [*chain, *controls]:
                score.setdefault(node, []).extend(sets)
        for node, sets in raw.get("score", {}).items():
            where = f"{self.where}: score.{node}"
            score.setdefault(node, []).extend(s for s in as_list(sets) if self._check_split(s, where))
        for node, sets in score.items():
            where = f"{self.where}: score or compare"
            verb, _ = lookup(self.raw, node, where, "node")
            if verb not in ("finetune", *SECTIONS["predictors"]):
                raise Fault(f"{where}: {node!r} is made by {verb} and gives no predictions; name a finetune or a vote.")
            for alias in {s.partition("/")[0] for s in sets}:
                for id in self.ids[node]:
                    if self.nodes[id].task != alias:
                        raise Fault(f"{where}: {node!r} predicts {self.nodes[id].task}, not {alias}.")
        return {node: list(dict.fromkeys(sets)) for node, sets in score.items()}, chains

    def scored(self):
        """Every (node, dataset) that is scored, in the recipe's order."""
        return [
            (self.nodes[id], dataset)
            for name in self.raw
            for id in self.ids[name]
            for dataset in self.score.get(name, [])
        ]

    def labelled(self):
        """Ids of the pseudo-labelled datasets."""
        return [id for id, node in self.nodes.items() if node.verb == "label"]

    def floors(self):
        """Per task the node whose base is written `linear`: the floor that a recipe should beat."""
        return {
            self.nodes[self.ids[name][0]].task: name
            for name, (verb, body) in self.raw.items()
            if verb == "finetune" and body[verb] == "linear" and self.ids[name]
        }
