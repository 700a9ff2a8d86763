"""A recipe resolved to a graph of named nodes.

A recipe names datasets, models and predictors; every name carries one verb. Here the names become
nodes with their options resolved (defaults, scale, node, faithful: the later wins), multiplied over
their `each:` axes and joined on equal values of shared axes. Nothing heavy is imported: Snakemake
reads this at every start. No result hangs on the order of a file's keys.
"""

import re
from collections.abc import Collection
from typing import Any

from postgrad.config.errors import ConfigError, ConfigErrors, lookup
from postgrad.config.schemas import valid_part
from postgrad.graph.defaults import check_bases
from postgrad.graph.nodes import RESERVED, Node
from postgrad.graph.options import (
    missing_to_predict,
    node_schema,
    references,
    refuse_unknown_verb,
    verbs,
)
from postgrad.graph.protocol import Verbs
from postgrad.graph.requests import targets
from postgrad.graph.resolution import made_nodes
from postgrad.graph.scale import kind_at_scale


class Graph:
    """A recipe under one scale and mode: nodes by id, what is not run and why, and the deviations.

    raw: the recipe, as `with_defaults` and `expanded` give it. faults: gathers what is wrong with
    names, options, joins and splits; the graph is whole only where it stays empty. verbs: the
    records of all verbs. broken: names of nodes that could not be read as a whole. left_out: tasks
    of its `for` that the study does not use.
    """

    def __init__(
        self,
        study: Any,
        recipe: str,
        raw: dict[str, Any],
        faults: ConfigErrors,
        verbs: Verbs,
        broken: Collection[str] = (),
        left_out: Collection[str] = (),
    ):
        self.verbs = verbs
        self.study, self.recipe, self.where = study, recipe, f"{study.root}/recipes/{recipe}.yaml"
        self.title, self.readings = raw["title"], raw.get("readings", [])
        self.paper_tasks = raw["tasks"]
        self.tasks = {**raw["tasks"], **study.bind.get(recipe, {})}
        for alias in study.bind.get(recipe, {}):
            with faults.collecting():
                lookup(
                    raw["tasks"],
                    alias,
                    f"{study.place('bind', recipe, alias)}: bind.{recipe}",
                    "task of the recipe",
                )
        self.tasks = {alias: task for alias, task in self.tasks.items() if alias not in left_out}
        for alias, task in self.tasks.items():
            with faults.collecting():
                bound = alias in study.bind.get(recipe, {})
                study.task(
                    task,
                    f"{study.place('bind', recipe, alias)}: bind.{recipe}.{alias}"
                    if bound
                    else f"{self.where}: tasks.{alias}",
                )
        self.defaults = raw.get("defaults", {})
        self.raw: dict[str, tuple[str, dict[str, Any]]] = {}  # name -> verb, what its file says
        self.places: dict[str, str] = {}
        self.broken = set(broken)
        for section, own in self.verbs.sections.items():
            for name, body in raw.get(section, {}).items():
                with faults.collecting():
                    self._declare(section, own, name, body, faults)
        self.broken |= set(broken)  # what is missing in them has been told already
        self.sound = not faults  # where values were taken out, none can be said to be missing
        self.lacking: dict[
            tuple[Any, ...], list[str]
        ] = {}  # (verb, options given nowhere) -> names of nodes
        self.nodes: dict[str, Node] = {}
        self.not_run: dict[str, str] = {}
        self.deviations: list[dict[str, Any]] = []
        self.overrides: list[
            dict[str, Any]
        ] = []  # {node, key, used, scale}: where a node's own values stand over its scale's
        self._open: list[str] = []
        self.ids: dict[str, list[str]] = {}
        if left_out:
            (listed,) = raw["for"].values()
            self.deviate(
                "", "tasks", listed, [task for task in listed if task not in left_out], "study"
            )
        for name in self.raw:
            with faults.collecting():
                self.resolve(name)
        self.score, self.compare = targets(self, raw, faults)
        self.of_recipe = {
            verb: record.resolve(self, raw.get(verb, {}), faults)
            for verb, record in verbs.of_recipe.items()
        }
        if self.sound:
            faults += self._told_missing(faults)
            check_bases(self, self.where, faults)

    def _declare(
        self,
        section: str,
        own: tuple[str, ...],
        name: str,
        body: dict[str, Any],
        faults: ConfigErrors,
    ) -> None:
        where = f"{self.where}: {section}.{name}"
        if name in self.raw:
            raise ConfigError(
                f"{where}: {name!r} is also a node under {self._section(name)}; choose another name."
            )
        self.broken.add(name)  # until all of it is read
        found = [verb for verb in own if verb in body]
        if not found:
            refuse_unknown_verb(self.verbs, section, body, where)
        if len(found) != 1:
            raise ConfigError(
                f"{where}: say exactly one of {', '.join(own)}; found {', '.join(found) or 'none'}."
            )
        verb = found[0]
        self.raw[name], self.places[name] = (verb, body), where
        if not re.fullmatch("[a-z0-9][a-z0-9-]*", name):
            raise ConfigError(
                f"{where}: a name is made of lower-case letters, digits and hyphens; rename {name!r}."
            )
        if name in {*self.study.bases, *self.tasks, *verbs(), *RESERVED}:
            raise ConfigError(
                f"{where}: {name!r} is already a base, a task or a verb; choose another name."
            )
        fits = valid_part(body, node_schema(verb), self.where, faults, (section, name))
        if fits is not None and not references(verb).keys() & (body.keys() - fits.keys()):
            self.raw[name] = (verb, fits)
            self.broken.discard(name)

    def _told_missing(self, faults: ConfigErrors) -> list[str]:
        """A sentence for each node that needs options which nobody gives."""
        for name, lacks in [] if faults else missing_to_predict(self):
            if lacks and name not in self.lacking.setdefault(("predict", lacks), []):
                self.lacking["predict", lacks].append(name)
        return [
            f"{self.where}: {self._section(name)}.{name}: {verb} needs {', '.join(lacks)}; give it in "
            f"{' or in '.join(self._givers(verb))}."
            for (verb, lacks), names in self.lacking.items()
            for name in names
        ]

    def _givers(self, verb: str) -> list[str]:
        scale = (
            [f"the scale {self.study.scale_name}"]
            if verb in (*self.verbs.sections["models"], "predict")
            else []
        )
        return [*(["the node"] if verb in self.verbs.nodes else []), f"defaults.{verb}", *scale]

    def _section(self, name: str) -> str:
        return next(
            section for section, own in self.verbs.sections.items() if self.raw[name][0] in own
        )

    # -- one name -> its nodes --------------------------------------------------------------------

    def resolve(self, name: str) -> list[str]:
        """The ids of a name's nodes, made at the first call.

        Raises ConfigError; without a sentence for a broken name.
        """
        if name in self.broken:
            raise ConfigError()
        if name in self._open:
            raise self._cycle(self._open[self._open.index(name) :])
        if name not in self.ids:
            self._open.append(name)
            try:
                made = made_nodes(self, name)
                self.nodes.update({node.id: node for node in made})
                self.ids[name] = [node.id for node in made]
            except ConfigError:
                self.broken.add(name)
                raise
            finally:
                self._open.pop()
        return self.ids[name]

    def deviate(self, node: str, key: str, paper: Any, used: Any, why: str) -> None:
        """Note one difference between the paper and this study.

        node: its name, or "" for a whole base or task.
        """
        self.deviations.append({"node": node, "key": key, "paper": paper, "used": used, "why": why})

    def note_override(self, node: str, key: str, used: list[Any], scale: list[Any]) -> None:
        """Note where a node's own values stand over one that its scale has for the option."""
        others = [value for value in scale if used != [value]]
        if others:
            self.overrides.append({"node": node, "key": key, "used": used, "scale": others[0]})

    # -- look-ups on names ------------------------------------------------------------------------

    def root(self, name: str) -> tuple[str, str | None]:
        """Return the base from which a model node descends, and its kind at this scale.

        The kind is None if the scale has no model for the base.
        """
        seen = [name]
        while True:
            verb, body = self.raw[seen[-1]]
            base, where = body[verb], f"{self.places[seen[-1]]}.{verb}"
            if base in self.broken:
                raise ConfigError()
            if base not in self.raw:
                lookup(
                    {**self.study.bases, **dict.fromkeys(self._models())},
                    base,
                    where,
                    "base or model",
                )
                return base, kind_at_scale(self.study, base, where)
            if base in seen:
                raise self._cycle(seen[seen.index(base) :])
            if base not in self._models():
                raise ConfigError(
                    f"{where}: {base!r} is made by {self.raw[base][0]}; name a base or a model."
                )
            seen.append(base)

    def _models(self) -> list[str]:
        return [
            name for name, (verb, _) in self.raw.items() if verb in self.verbs.sections["models"]
        ]

    def _cycle(self, names: list[str]) -> ConfigError:
        """The same sentence wherever the cycle is entered."""
        first = names.index(min(names))
        names = [*names[first:], *names[:first]]
        return ConfigError(
            f"{self.places[names[0]]}: {' -> '.join([*names, names[0]])} is a cycle; break it."
        )
