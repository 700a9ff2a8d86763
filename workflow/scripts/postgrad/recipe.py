"""A recipe resolved to a graph of named nodes.

A recipe names datasets, models and predictors; every name carries one verb. Here the names become
nodes with their options resolved (defaults, scale, node, faithful: the later wins), multiplied over
their `each:` axes and joined on equal values of shared axes. Nothing heavy is imported: Snakemake
reads this at every start. No result hangs on the order of a file's keys.
"""

import re
from dataclasses import dataclass, field, replace
from itertools import product

from postgrad import checks
from postgrad.configuration import Fault, Faults, as_list, fitting, lookup
from postgrad.options import node_schema, options, options_schema, read, references, verbs
from postgrad.vocabulary import AT, FOLD, HELD_OUT, SPLITS

SECTIONS = {
    "datasets": ("augment", "resample", "label", "fold"),
    "models": ("pretrain", "finetune"),
    "predictors": ("vote", "calibrate", "pick"),
}
VERBS = tuple(verb for verbs in SECTIONS.values() for verb in verbs)
RESERVED = ("clean", "base", "audit", "demo", "report")
REDUCING = ("vote", "pick")  # verbs that make one node of several points of an axis
PREDICTORS = ("finetune", *SECTIONS["predictors"])
# Which nodes a key may name, by their verbs.
ROLES = {
    "data": SECTIONS["datasets"],
    "augment": SECTIONS["datasets"],
    "resample": SECTIONS["datasets"],
    "label": (),
    "fold": (),
    "budget": ("label",),
    "teachers": PREDICTORS,
    **dict.fromkeys(SECTIONS["predictors"], PREDICTORS),
}


@dataclass(frozen=True)
class Node:
    """One node at one point of its axes, for example ages-expert at seed 1."""

    recipe: str
    name: str
    verb: str
    axes: dict
    options: dict
    sources: list  # names with a slash (splits) and ids of nodes: what `data`, `augment`, `resample`, `label` name
    base: str | None = None  # a model of the scale, or the id of a model node
    members: list = field(default_factory=list)  # ids of teachers, of a vote's members, of what is calibrated
    budget: str | None = None
    target: str | dict | None = None  # the class shares that a calibration turns to
    kind: str | None = None  # causal, encoder, linear; None for datasets and predictors that are no model
    task: str | None = None  # the recipe's name for the task; None where the labels play no part
    transductive: bool = False  # it, or what it stands on, has read the texts of a test set
    fitted: tuple = ()  # splits whose gold labels it, or what it stands on, was fitted or chosen on
    learnt: tuple = ()  # splits whose gold labels it, or what it stands on, learnt
    folds: tuple = ()  # ids of the datasets in folds that it stands on: one where it has the axis, all where it reduces

    @property
    def id(self):
        return AT.join([self.name, *(f"{key}={value}" for key, value in sorted(self.axes.items()))])


class Graph:
    """A recipe under one scale and mode: nodes by id, what is not run and why, and the deviations.

    raw: the recipe's file. faults: gathers what is wrong with names, options, joins and splits; the graph is
    whole only where it stays empty. broken: names of the file that could not be read.
    """

    def __init__(self, study, recipe, raw, faults, broken=()):
        self.study, self.recipe, self.where = study, recipe, f"{study.root}/recipes/{recipe}.yaml"
        self.title, self.readings = raw["title"], raw.get("readings", [])
        self.paper_tasks = raw["tasks"]
        self.tasks = {**raw["tasks"], **study.bind.get(recipe, {})}
        for alias in study.bind.get(recipe, {}):
            with faults.gathered():
                lookup(raw["tasks"], alias, f"{study.where}: bind.{recipe}", "task of the recipe")
        for alias, task in self.tasks.items():
            with faults.gathered():
                bound = alias in study.bind.get(recipe, {})
                study.task(task, f"{study.where}: bind.{recipe}.{alias}" if bound else f"{self.where}: tasks.{alias}")
        self.defaults = {}
        for verb, body in raw.get("defaults", {}).items():
            with faults.gathered():
                self.defaults[verb] = self._default(verb, body, faults)
        self.raw, self.places, self.broken = {}, {}, set(broken)
        for section, own in SECTIONS.items():
            for name, body in raw.get(section, {}).items():
                with faults.gathered():
                    self._declare(section, own, name, body, faults)
        sound = not faults  # where values were taken out, none can be said to be missing
        self._lacking = {}  # (verb, options given nowhere) -> names of nodes
        self.nodes, self.not_run, self.deviations, self._open = {}, {}, [], []
        self.ids = {}  # name -> ids
        for name in self.raw:
            with faults.gathered():
                self._resolve(name)
        self.score, self.compare = self._targets(raw, faults)
        if sound:
            faults += self._told_missing(faults)

    def _default(self, verb, body, faults):
        where = f"{self.where}: defaults"
        lookup(dict.fromkeys(verbs()), verb, where, "verb")
        each = body.get("each")
        schema = options_schema(verb)
        if isinstance(each, dict):
            schema = {**schema, "properties": {**schema["properties"], "each": node_schema(verb)["properties"]["each"]}}
        return fitting(body, schema, self.where, faults, ("defaults", verb)) or {}

    def _declare(self, section, own, name, body, faults):
        where = f"{self.where}: {section}.{name}"
        if name in self.raw:
            raise Fault(f"{where}: {name!r} is also a node under {self._section(name)}; choose another name.")
        self.broken.add(name)  # until all of it is read
        found = [verb for verb in own if verb in body]
        if len(found) != 1:
            raise Fault(f"{where}: say exactly one of {', '.join(own)}; found {', '.join(found) or 'none'}.")
        verb = found[0]
        self.raw[name], self.places[name] = (verb, body), where
        if not re.fullmatch("[a-z0-9][a-z0-9-]*", name):
            raise Fault(f"{where}: a name is made of lower-case letters, digits and hyphens; rename {name!r}.")
        if name in {*self.study.bases, *self.tasks, *verbs(), *RESERVED}:
            raise Fault(f"{where}: {name!r} is already a base, a task or a verb; choose another name.")
        fits = fitting(body, node_schema(verb), self.where, faults, (section, name))
        if fits is not None and not references(verb).keys() & (body.keys() - fits.keys()):
            self.raw[name] = (verb, fits)
            self.broken.discard(name)

    def _told_missing(self, faults):
        """A sentence for each set of options that nodes need and nobody gives."""
        for name, lacks in [] if faults else checks.missing_to_predict(self):
            if lacks and name not in self._lacking.setdefault(("predict", lacks), []):
                self._lacking["predict", lacks].append(name)
        return [
            f"{self.where}: {', '.join(f'{self._section(name)}.{name}' for name in names)}: {verb} needs "
            f"{', '.join(lacks)}; give it in {' or in '.join(self._givers(verb))}."
            for (verb, lacks), names in self._lacking.items()
            if names
        ]

    def _givers(self, verb):
        scale = [f"the scale {self.study.scale_name}"] if verb in (*SECTIONS["models"], "predict") else []
        return [*(["the node"] if verb in VERBS else []), f"defaults.{verb}", *scale]

    def _section(self, name):
        return next(section for section, own in SECTIONS.items() if self.raw[name][0] in own)

    # -- one name -> its nodes --------------------------------------------------------------------

    def _resolve(self, name):
        """The ids of a name's nodes, made at the first call. Raises Fault; without a sentence for a broken name."""
        if name in self.broken:
            raise Fault()
        if name in self._open:
            raise self._cycle(self._open[self._open.index(name) :])
        if name not in self.ids:
            self._open.append(name)
            try:
                self.ids[name] = self._made(name)
            except Fault:
                self.broken.add(name)
                raise
            finally:
                self._open.pop()
        return self.ids[name]

    def _made(self, name):
        verb, body = self.raw[name]
        where, faults = self.places[name], Faults()
        gold = body[verb] if verb in SECTIONS["datasets"] else []
        reads = [(verb, source) for source in as_list(body.get("data", gold))]
        reads += [(key, body[key]) for key in ("fit", "target") if "/" in body.get(key, "")]
        sources = [source for _, source in reads]
        members = as_list(body.get("teachers", body[verb] if verb in SECTIONS["predictors"] else []))
        base = body[verb] if verb in SECTIONS["models"] else None
        root = kind = lacking = None
        if base:
            with faults.gathered():
                root, kind = self.root(name)
                if base in self.raw:
                    self._resolve(base)
        for key, source in self._named(verb, body):
            with faults.gathered():
                self._look_up(key, source, f"{where}.{key}")
        for reader, source in reads:
            with faults.gathered():
                lacking = lacking or checks.split(self, reader, body, source, where)
        if verb in SECTIONS["models"] and not sources:
            faults.append(f"{where}: {verb} needs posts; name splits or datasets under data.")
        if "fit" in references(verb) and "fit" not in body:
            faults.append(f"{where}: {verb} needs gold posts; name the task's dev under fit.")
        if verb == "label" and not faults:
            lacking = lacking or checks.labelled(self, body, where)
        faults.end()

        names = [source for _, source in self._named(verb, body)] + ([base] if base in self.raw else [])
        found, each = self._options(name, verb, body, root, kind)
        values = {key: [value] for key, value in found.items()}
        values |= {key: list(few.values()) if isinstance(few, dict) else few for key, few in each.items()}
        task = self._task(sources, members, where) if verb != "pretrain" else None
        lacking = lacking or checks.no_dev(self, task, values)
        reason = lacking or checks.reason_not_to_run(self, verb, body, kind, root) or self._blocked(names)
        points = self._points(verb, each, names, body.get("over"), where)
        if reason:
            self.not_run[name] = reason
            return []
        checks.unread(verb, kind, body, values, where)
        if lacks := checks.missing(verb, kind, values):
            self._lacking.setdefault((verb, lacks), []).append(name)
        if verb == "fold":
            points = [
                ({**axes, FOLD: number}, own, bound)
                for axes, own, bound in points
                for number in range(1, {**found, **own}.get("k", 1) + 1)
            ]
        made = []
        for axes, own, bound in points:
            below = [self.nodes[id] for ids in bound.values() for id in ids]
            chosen_on = as_list(body.get("fit", []))
            if {**found, **own}.get("epoch") == "best":
                chosen_on.append(f"{task}/dev")
            known = read(verb, kind, {key: [value] for key, value in {**found, **own}.items()})
            node = Node(
                recipe=self.recipe,
                name=name,
                verb=verb,
                axes=axes,
                options={key: value for key, value in {**found, **own}.items() if key in known},
                sources=[s if "/" in s else bound[s][0] for s in sources],
                base=bound[base][0] if base in self.raw else self.study.model_of(root) if base else None,
                members=[id for member in members for id in bound[member]],
                budget=bound[body["budget"]][0] if "budget" in body else None,
                target=body.get("target"),
                kind=kind,
                task=task,
                transductive=body.get("transductive", False) or any(other.transductive for other in below),
                fitted=tuple(sorted({*chosen_on, *(split for n in below for split in n.fitted)})),
                learnt=self._learnt(verb, sources, below),
                folds=self._folds(verb, task, below),
            )
            if checks.seen_before(self, node, below):
                node = replace(node, fitted=tuple(sorted({*node.fitted, f"{task}/{HELD_OUT}"})))
            checks.node(self, node, where)
            made.append(node)
        self.nodes.update({node.id: node for node in made})
        return [node.id for node in made]

    def _learnt(self, verb, sources, below):
        """The splits whose gold labels a node learns from, itself or through what it stands on."""
        learning = ("augment", "resample", "fold", "finetune")
        own = [source for source in sources if "/" in source] if verb in learning else []
        return tuple(sorted({*own, *(split for node in below for split in node.learnt)}))

    def _folds(self, verb, task, below):
        """Ids of the datasets in folds under a node, those of its own task: post_ids are unique within a corpus."""
        parts = below if verb in SECTIONS["predictors"] else [node for node in below if FOLD in node.axes]
        found = {id for node in parts for id in ([node.id] if node.verb == "fold" else node.folds)}
        return tuple(sorted(id for id in found if task in (None, self.nodes[id].task)))

    def _named(self, verb, body):
        """(key, name) of every other node that a node names, its base left out."""
        keys = [key for key in ROLES if key in body and key in references(verb)]
        return [(key, name) for key in keys for name in as_list(body[key]) if "/" not in name]

    def _look_up(self, key, name, where):
        if name not in self.broken:
            verb, _ = lookup(self.raw, name, where, "node")
            if verb not in ROLES[key]:
                allowed = f"name a node made by {' or '.join(ROLES[key])}" if ROLES[key] else "name a split"
                raise Fault(f"{where}: {name!r} is made by {verb}; {allowed}.")
        self._resolve(name)

    def _options(self, name, verb, body, root, kind):
        """Resolved options and axes, and a note of each deviation from the paper."""
        scale = self.study.scale["bases"].get(root, {}).get(verb, {}) if root else {}
        default = dict(self.defaults.get(verb, {}))
        own = {key: value for key, value in body.items() if key in options(verb)}
        faithful = dict(body.get("faithful", {}))
        each = {**default.pop("each", {}), **body.get("each", {})}
        each = {key: each[key] for key in sorted(each) if key in body.get("each", {}) or key not in {**own, **scale}}
        known = options(verb, kind) if root is None or kind else {}
        paper = {**default, **own, **faithful}
        used = {**default, **scale, **own, **(faithful if self.study.mode == "faithful" else {})}
        for key in known:
            if key in each:
                continue
            if key in faithful and self.study.mode != "faithful":
                self._deviate(name, key, paper[key], used.get(key), f"mode {self.study.mode}")
            elif key in scale and used.get(key) != paper.get(key):
                self._deviate(name, key, paper.get(key), used[key], f"scale {self.study.scale_name}")
        if isinstance(each.get("seed"), list) and len(each["seed"]) > self.study.seeds:
            self._deviate(name, "seed", each["seed"], each["seed"][: self.study.seeds], "study")
            each["seed"] = each["seed"][: self.study.seeds]
        if verb == "fold" and self.study.folds and used.get("k", 0) > self.study.folds:
            self._deviate(name, "k", used["k"], self.study.folds, "study")
            used["k"] = self.study.folds
        return {key: used[key] for key in known if key in used}, {k: v for k, v in each.items() if k in known}

    def _deviate(self, node, key, paper, used, why):
        self.deviations.append({"node": node, "key": key, "paper": paper, "used": used, "why": why})

    def _points(self, verb, each, names, over, where):
        """Every (axes, own option values, ids bound to each name) of a node."""
        names = list(dict.fromkeys(names))
        if verb in REDUCING:
            return self._reduced(names, over, where)
        own = []
        for values in product(
            *(sorted(v.items()) if isinstance(v, dict) else [(x, x) for x in v] for v in each.values())
        ):
            own.append((dict(zip(each, (v[0] for v in values))), dict(zip(each, (v[1] for v in values)))))
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

    def _reduced(self, names, over, where):
        """The points of a node that reduces over axes: all of its members', or those that `over` names."""
        ids = [id for name in names for id in self._resolve(name)]
        axes = {key for id in ids for key in self.nodes[id].axes}
        for axis in over or []:
            if ids:
                lookup(dict.fromkeys(axes), axis, f"{where}.over", "axis of its members")
        kept, groups = axes - set(over or axes), {}
        for id in ids:
            point = tuple(sorted((k, v) for k, v in self.nodes[id].axes.items() if k in kept))
            groups.setdefault(point, {name: [] for name in names})[self.nodes[id].name].append(id)
        return [(dict(point), {}, bound) for point, bound in groups.items()]

    # -- look-ups on names ------------------------------------------------------------------------

    def root(self, name):
        """The base that a model node stands on at the bottom, and its kind at this scale (None: no model)."""
        seen = [name]
        while True:
            verb, body = self.raw[seen[-1]]
            base, where = body[verb], f"{self.places[seen[-1]]}.{verb}"
            if base in self.broken:
                raise Fault()
            if base not in self.raw:
                lookup({**self.study.bases, **dict.fromkeys(self._models())}, base, where, "base or model")
                return base, checks.kind_at_scale(self.study, base, where)
            if base in seen:
                raise self._cycle(seen[seen.index(base) :])
            if base not in self._models():
                raise Fault(f"{where}: {base!r} is made by {self.raw[base][0]}; name a base or a model.")
            seen.append(base)

    def _models(self):
        return [name for name, (verb, _) in self.raw.items() if verb in SECTIONS["models"]]

    def _cycle(self, names):
        """The same sentence wherever the cycle is entered."""
        first = names.index(min(names))
        names = [*names[first:], *names[:first]]
        return Fault(f"{self.places[names[0]]}: {' -> '.join([*names, names[0]])} is a cycle; break it.")

    def _task(self, sources, members, where):
        tasks = {s.partition("/")[0] for s in sources if "/" in s}
        for name in [s for s in sources if "/" not in s] + members:
            tasks |= {self.nodes[id].task for id in self._resolve(name)}
        if len(tasks) > 1:
            raise Fault(f"{where}: the posts of one node carry labels of one task; found {', '.join(sorted(tasks))}.")
        return next(iter(tasks), None)

    def _blocked(self, names):
        return next((f"needs {name}, which is not run" for name in names if name in self.not_run), None)

    # -- what is asked for ------------------------------------------------------------------------

    def _targets(self, raw, faults):
        """score: predictor name -> datasets; compare: chain name -> {chain, controls, sets}.

        Splits that a task lacks drop out.
        """
        score, chains = {}, {}
        for name, body in sorted(raw.get("compare", {}).items()):
            where = f"{self.where}: compare.{name}"
            chain, controls = body["chain"], body.get("controls", {})
            if isinstance(controls, list):  # a list stands in the place of the chain's last node
                controls = dict.fromkeys(controls, chain[-1])
            for replaced in controls.values():
                with faults.gathered():
                    lookup(dict.fromkeys(chain[1:]), replaced, f"{where}.controls", "later node of the chain")
            sets = self._scored_sets(body["sets"], f"{where}.sets", faults)
            chains[name] = {"chain": chain, "controls": controls, "sets": sets}
            for key, node in [("chain", node) for node in chain] + [("controls", node) for node in controls]:
                self._ask(score, node, sets, f"{where}.{key}", faults)
        for node, sets in sorted(raw.get("score", {}).items()):
            where = f"{self.where}: score.{node}"
            self._ask(score, node, self._scored_sets(as_list(sets), where, faults), where, faults)
        return score, chains

    def _scored_sets(self, sets, where, faults):
        kept = []
        for name in sets:
            with faults.gathered():
                kept += [name] if checks.scored_split(self, name, where) else []
        return kept

    def _ask(self, score, name, sets, where, faults):
        with faults.gathered():
            if name in self.broken:
                return
            verb, _ = lookup(self.raw, name, where, "node")
            if verb not in PREDICTORS:
                predictors = " or ".join(PREDICTORS)
                raise Fault(f"{where}: {name!r} is made by {verb} and gives no predictions; name a {predictors}.")
            for alias in {dataset.partition("/")[0] for dataset in sets}:
                for id in self.ids[name][:1]:
                    if self.nodes[id].task != alias:
                        raise Fault(f"{where}: {name!r} predicts {self.nodes[id].task}, not {alias}.")
            for id in self.ids[name][:1]:
                for dataset in sets:
                    checks.untouched(self, self.nodes[id], dataset, where)
            asked = {*score.get(name, []), *sets}
            score[name] = sorted(asked, key=lambda dataset: (*SPLITS, HELD_OUT).index(dataset.partition("/")[2]))

    def reading_order(self):
        """Names as a person reads scores: task by task floors, then each chain with its controls, then the others."""
        names = sorted(self.floors().values())
        for _, body in sorted(self.compare.items()):
            for node in body["chain"]:
                names += [node, *(control for control, beside in sorted(body["controls"].items()) if beside == node)]
        names = [name for name in dict.fromkeys([*names, *sorted(self.ids)]) if self.ids.get(name)]
        return sorted(names, key=lambda name: self.nodes[self.ids[name][0]].task or "")

    def scored(self):
        """Every (node, dataset) that is scored, in reading order."""
        return [
            (self.nodes[id], dataset)
            for name in self.reading_order()
            for id in self.ids[name]
            for dataset in self.score.get(name, [])
        ]

    def teaching(self):
        """Ids of the predictors that label posts, members of their votes included: later models wait for them."""
        found, todo = set(), [id for node in self.nodes.values() if node.verb == "label" for id in node.members]
        while todo:
            found.add(id := todo.pop())
            todo += self.nodes[id].members
        return found

    def models_under(self, id):
        """Ids of the models whose predictions a predictor is made of; a model's own."""
        node = self.nodes[id]
        return [id] if node.verb == "finetune" else [found for id in node.members for found in self.models_under(id)]

    def restarting(self):
        """Ids of the models behind the scores that begin anew where a training ends in one class."""
        found, todo = set(), [node.id for node, _ in self.scored()]
        while todo:
            if (id := todo.pop()) in self.nodes and id not in found:
                found.add(id)
                node = self.nodes[id]
                todo += [node.base, node.budget, *node.sources, *node.members]
        return sorted(id for id in found if "restarts" in self.nodes[id].options)

    def labelled(self):
        """Ids of the pseudo-labelled datasets by name, each with its controls behind it."""
        nodes = [node for node in self.nodes.values() if node.verb == "label"]
        return [n.id for n in sorted(nodes, key=lambda n: (n.budget or n.id, n.budget is not None, n.id))]

    def floors(self):
        """Per task the node whose base is written `linear`, the first by name: the floor that a recipe should beat."""
        return {
            self.nodes[self.ids[name][0]].task: name
            for name, (verb, body) in sorted(self.raw.items(), reverse=True)
            if verb == "finetune" and body[verb] == "linear" and self.ids.get(name)
        }
