"""A recipe resolved to a graph of named nodes.

A recipe names datasets, models and predictors; every name carries one verb. Here the names become
nodes with their options resolved (defaults, scale, node, faithful: the later wins), multiplied over
their `each:` axes and joined on equal values of shared axes. Nothing heavy is imported: Snakemake
reads this at every start. No result hangs on the order of a file's keys.
"""

import re
from dataclasses import replace

from postgrad.config.errors import Fault, Faults, lookup
from postgrad.config.schemas import fitting
from postgrad.config.yaml_files import as_list
from postgrad.graph import split_rules
from postgrad.graph.axes import points_of
from postgrad.graph.defaults import check_bases
from postgrad.graph.nodes import RESERVED, ROLES, SECTIONS, VERBS, Node
from postgrad.graph.options import (
    faithful_values,
    missing,
    node_schema,
    read,
    references,
    refuse_unknown_verb,
    resolve_options,
    unread,
    verbs,
)
from postgrad.graph.requests import measured, refuse_base, targets
from postgrad.graph.scale import kind_at_scale
from postgrad.records.names import FOLD, HELD_OUT


class Graph:
    """A recipe under one scale and mode: nodes by id, what is not run and why, and the deviations.

    raw: the recipe, as `with_defaults` and `expanded` give it. faults: gathers what is wrong with names, options, joins
    and splits; the graph is whole only where it stays empty. rules: a VerbRules. broken: names of nodes that could not
    be read as a whole. left_out: tasks of its `for` that the study does not use.
    """

    def __init__(self, study, recipe, raw, faults, rules, broken=(), left_out=()):
        self.rules = rules
        self.study, self.recipe, self.where = study, recipe, f"{study.root}/recipes/{recipe}.yaml"
        self.title, self.readings = raw["title"], raw.get("readings", [])
        self.paper_tasks = raw["tasks"]
        self.tasks = {**raw["tasks"], **study.bind.get(recipe, {})}
        for alias in study.bind.get(recipe, {}):
            with faults.gathered():
                lookup(raw["tasks"], alias, f"{study.where}: bind.{recipe}", "task of the recipe")
        self.tasks = {alias: task for alias, task in self.tasks.items() if alias not in left_out}
        for alias, task in self.tasks.items():
            with faults.gathered():
                bound = alias in study.bind.get(recipe, {})
                study.task(task, f"{study.where}: bind.{recipe}.{alias}" if bound else f"{self.where}: tasks.{alias}")
        self.defaults = raw.get("defaults", {})
        self.raw, self.places, self.broken = {}, {}, set(broken)
        for section, own in SECTIONS.items():
            for name, body in raw.get(section, {}).items():
                with faults.gathered():
                    self._declare(section, own, name, body, faults)
        self.broken |= set(broken)  # what is missing in them has been told already
        self.sound = not faults  # where values were taken out, none can be said to be missing
        self._lacking = {}  # (verb, options given nowhere) -> names of nodes
        self.nodes, self.not_run, self.deviations, self._open = {}, {}, [], []
        self.overrides = []  # {node, key, used, scale}: where a node's own values stand over its scale's
        self.ids = {}  # name -> ids
        if left_out:
            (listed,) = raw["for"].values()
            self.deviate("", "tasks", listed, [task for task in listed if task not in left_out], "study")
        for name in self.raw:
            with faults.gathered():
                self.resolve(name)
        self.score, self.compare = targets(self, raw, faults)
        self.diversity = measured(self, raw, faults)
        if self.sound:
            faults += self._told_missing(faults)
            check_bases(self, self.where, faults)

    def _declare(self, section, own, name, body, faults):
        where = f"{self.where}: {section}.{name}"
        if name in self.raw:
            raise Fault(f"{where}: {name!r} is also a node under {self._section(name)}; choose another name.")
        self.broken.add(name)  # until all of it is read
        found = [verb for verb in own if verb in body]
        if not found:
            refuse_unknown_verb(section, body, where)
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
        for name, lacks in [] if faults else self.rules.missing_to_predict(self):
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

    def resolve(self, name):
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
        fit = body.get("fit", split_rules.audited_on(self, body) if verb == "label" else None)
        reads += [("fit", fit)] if fit else []
        reads += [("target", body["target"])] if "/" in body.get("target", "") else []
        sources = [source for reader, source in reads if (verb, reader) != ("label", "fit")]
        members = as_list(body.get("teachers", body[verb] if verb in SECTIONS["predictors"] else []))
        base = body[verb] if verb in SECTIONS["models"] else None
        root = kind = lacking = None
        if base:
            with faults.gathered():
                root, kind = self.root(name)
                if base in self.raw:
                    self.resolve(base)
        asked, silent = {}, None
        with faults.gathered():
            asked, silent = self.rules.asked_models(self, verb, body, where)
        for key, source in self._named(verb, body):
            with faults.gathered():
                self._look_up(key, source, f"{where}.{key}")
        for reader, source in reads:
            with faults.gathered():
                lacking = lacking or split_rules.split(self, reader, body, source, where)
        if verb in SECTIONS["models"] and not sources:
            faults.append(f"{where}: {verb} needs posts; name splits or datasets under data.")
        if verb in ("calibrate", "pick") and not fit:
            ids = [id for member in members for id in self.ids.get(member, [])]
            gold = split_rules.gold_to_fit_on(self, ids)
            faults.append(f"{where}: {verb} needs gold posts; name {gold} under fit.")
        faults.end()

        names = [source for _, source in self._named(verb, body)] + ([base] if base in self.raw else [])
        found, each = resolve_options(self, name, verb, body, root, kind)
        values = {key: [value] for key, value in found.items()}
        values |= {key: list(few.values()) if isinstance(few, dict) else few for key, few in each.items()}
        named = [*sources, *as_list(fit or []), *as_list(body.get("folds", [])), *members]
        task = self._task(named, where) if verb != "pretrain" else None
        if verb == "label":
            lacking = lacking or self.rules.labelled(self, body, values, fit, where)
        lacking = (
            lacking or silent or split_rules.no_dev(self, task, values) or self.rules.other_labels(self, task, values)
        )
        reason = lacking or self.rules.reason_not_to_run(self, verb, body, kind, root) or self._blocked(names)
        points = points_of(self, verb, each, names, body.get("over"), where)
        if reason:
            self.not_run[name] = reason
            return []
        unread(verb, kind, body, values, faithful_values(self, verb, body, root), where)
        if lacks := missing(verb, kind, values):
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
            read_here, fit_here = sources, fit
            if verb == "review":
                read_here, fit_here = self.rules.read_by_review(task, {**found, **own}, fit)
            fits = verb != "label" or self.rules.calibrates(body, {**found, **own})
            chosen_on = as_list(fit_here) if fit_here and fits else []
            if {**found, **own}.get("epoch") == "best":
                chosen_on.append(f"{task}/dev")
            part = None
            if "folds" in body and {**found, **own}.get("keep") == "random":
                part = axes[FOLD], self.nodes[bound[body["folds"]][0]].options.get("k", 1)
            known = read(verb, kind, {key: [value] for key, value in {**found, **own}.items()})
            node = Node(
                recipe=self.recipe,
                name=name,
                verb=verb,
                axes=axes,
                options={key: value for key, value in {**found, **own}.items() if key in known},
                sources=[s if "/" in s else bound[s][0] for s in read_here],
                base=bound[base][0] if base in self.raw else self.study.model_of(root) if base else None,
                members=[id for member in members for id in bound[member]],
                budget=bound[body["budget"]][0] if "budget" in body else None,
                fit=fit_here,
                asked=asked,
                part=part,
                target=body.get("target"),
                kind=kind,
                task=task,
                transductive=body.get("transductive", False) or any(other.transductive for other in below),
                stand_in=self.rules.stood_in(self.study, asked) or any(other.stand_in for other in below),
                fitted=tuple(sorted({*chosen_on, *(split for n in below for split in n.fitted)})),
                learnt=self._learnt(verb, read_here, below),
                folds=self._folds(verb, task, below),
            )
            if split_rules.seen_before(self, node, below):
                node = replace(node, fitted=tuple(sorted({*node.fitted, f"{task}/{HELD_OUT}"})))
            self.rules.check_node(self, node, where)
            made.append(node)
        self.nodes.update({node.id: node for node in made})
        return [node.id for node in made]

    def _learnt(self, verb, sources, below):
        """The splits whose gold labels a node learns from, itself or through what it stands on."""
        learning = ("augment", "resample", "synthesize", "fold", "finetune", "review")
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
            refuse_base(self, name, ROLES[key], where)
            verb, _ = lookup(self.raw, name, where, "node")
            if verb not in ROLES[key]:
                allowed = f"name a node made by {' or '.join(ROLES[key])}" if ROLES[key] else "name a split"
                raise Fault(f"{where}: {name!r} is made by {verb}; {allowed}.")
        self.resolve(name)

    def deviate(self, node, key, paper, used, why):
        self.deviations.append({"node": node, "key": key, "paper": paper, "used": used, "why": why})

    def note_override(self, node, key, used, scale):
        """Note where a node's own values stand over one that its scale has for the option."""
        others = [value for value in scale if used != [value]]
        if others:
            self.overrides.append({"node": node, "key": key, "used": used, "scale": others[0]})

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
                return base, kind_at_scale(self.study, base, where)
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

    def _task(self, names, where):
        tasks = {name.partition("/")[0] for name in names if "/" in name}
        for name in (name for name in names if "/" not in name):
            tasks |= {self.nodes[id].task for id in self.resolve(name)}
        if len(tasks) > 1:
            raise Fault(f"{where}: the posts of one node carry labels of one task; found {', '.join(sorted(tasks))}.")
        return next(iter(tasks), None)

    def _blocked(self, names):
        return next((f"needs {name}, which is not run" for name in names if name in self.not_run), None)
