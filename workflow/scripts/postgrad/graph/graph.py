"""A recipe resolved to a graph of named nodes.

A recipe names datasets, models and predictors, and every name has one verb. Here the names become
nodes whose options are resolved (of defaults, scale, node and faithful the later wins). A node is
made once for each value under `each`, and nodes are joined on equal values of the axes that they
share. Snakemake reads this module at every start, so nothing heavy is imported. No result depends
on the order of the keys in a file.
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
    reference_schemas,
    refuse_unknown_verb,
    verb_names,
)
from postgrad.graph.protocol import Verbs
from postgrad.graph.requests import resolve_requests
from postgrad.graph.resolution import resolve_nodes
from postgrad.graph.scale import kind_at_scale


class Graph:
    """A recipe under one scale and mode: its nodes by id, and the deviations from the paper.

    It also says which nodes are not run and why.

    Parameters
    ----------
    study
        The study.
    recipe
        The name of the recipe.
    raw
        The recipe, after `apply_defaults` and `expand_recipe`.
    faults
        Gathers what is wrong with names, options, joins and splits. The graph is complete only if
        this stays empty.
    verbs
        The records of all verbs.
    broken
        The names of nodes that could not be read completely.
    left_out
        The tasks of the recipe's `for` that the study does not use.
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
        """Resolve the nodes of a recipe."""
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
        self.broken |= set(broken)  # what they lack is reported already
        self.is_sound = (
            not faults
        )  # if a value was removed as wrong, no value can be called missing
        # The nodes that lack each combination of a verb and options without a value.
        self.lacking: dict[tuple[Any, ...], list[str]] = {}
        self.nodes: dict[str, Node] = {}
        self.not_run: dict[str, str] = {}
        self.deviations: list[dict[str, Any]] = []
        # {node, key, used, scale}: where a node's own values override those of its scale.
        self.overrides: list[dict[str, Any]] = []
        self._being_resolved: list[str] = []
        self.ids: dict[str, list[str]] = {}
        if left_out:
            (listed,) = raw["for"].values()
            self.note_deviation(
                "", "tasks", listed, [task for task in listed if task not in left_out], "study"
            )
        for name in self.raw:
            with faults.collecting():
                self.resolve_name(name)
        self.score, self.compare = resolve_requests(self, raw, faults)
        self.of_recipe = {
            verb: record.resolve_section(self, raw.get(verb, {}), faults)
            for verb, record in verbs.of_recipe.items()
        }
        if self.is_sound:
            faults += self._missing_option_messages(faults)
            check_bases(self, self.where, faults)

    def _declare(
        self,
        section: str,
        own: tuple[str, ...],
        name: str,
        body: dict[str, Any],
        faults: ConfigErrors,
    ) -> None:
        """Read one entry of a section, and check its name, its verb and its keys."""
        where = f"{self.where}: {section}.{name}"
        if name in self.raw:
            raise ConfigError(
                f"{where}: {name!r} is also a node under {self._section(name)}; choose another "
                "name."
            )
        self.broken.add(name)  # until all of it is read
        node_verbs = [verb for verb in own if verb in body]
        if not node_verbs:
            refuse_unknown_verb(self.verbs, section, body, where)
        if len(node_verbs) != 1:
            raise ConfigError(
                f"{where}: say exactly one of {', '.join(own)}; found "
                f"{', '.join(node_verbs) or 'none'}."
            )
        verb = node_verbs[0]
        self.raw[name], self.places[name] = (verb, body), where
        if not re.fullmatch("[a-z0-9][a-z0-9-]*", name):
            raise ConfigError(
                f"{where}: a name is made of lower-case letters, digits and hyphens; rename "
                f"{name!r}."
            )
        if name in {*self.study.bases, *self.tasks, *verb_names(), *RESERVED}:
            raise ConfigError(
                f"{where}: {name!r} is already a base, a task or a verb; choose another name."
            )
        fits = valid_part(body, node_schema(verb), self.where, faults, (section, name))
        if fits is not None and not reference_schemas(verb).keys() & (body.keys() - fits.keys()):
            self.raw[name] = (verb, fits)
            self.broken.discard(name)

    def _missing_option_messages(self, faults: ConfigErrors) -> list[str]:
        """Return a message for each node that needs options which have no value anywhere."""
        for name, lacks in [] if faults else missing_to_predict(self):
            if lacks and name not in self.lacking.setdefault(("predict", lacks), []):
                self.lacking["predict", lacks].append(name)
        return [
            f"{self.where}: {self._section(name)}.{name}: {verb} needs {', '.join(lacks)}; give "
            f"it in {' or in '.join(self._places_of_option(verb))}."
            for (verb, lacks), names in self.lacking.items()
            for name in names
        ]

    def _places_of_option(self, verb: str) -> list[str]:
        """Return the places in which an option of a verb can be given, for messages."""
        scale = (
            [f"the scale {self.study.scale_name}"]
            if verb in (*self.verbs.sections["models"], "predict")
            else []
        )
        return [*(["the node"] if verb in self.verbs.nodes else []), f"defaults.{verb}", *scale]

    def _section(self, name: str) -> str:
        """Return the section of a node."""
        return next(
            section for section, own in self.verbs.sections.items() if self.raw[name][0] in own
        )

    # -- one name -> its nodes --------------------------------------------------------------------

    def resolve_name(self, name: str) -> list[str]:
        """Return the ids of a name's nodes, which are made at the first call.

        Raise `ConfigError`, without a message if the name has been reported as broken before.
        """
        if name in self.broken:
            raise ConfigError()
        if name in self._being_resolved:
            raise self._cycle(self._being_resolved[self._being_resolved.index(name) :])
        if name not in self.ids:
            self._being_resolved.append(name)
            try:
                nodes = resolve_nodes(self, name)
                self.nodes.update({node.id: node for node in nodes})
                self.ids[name] = [node.id for node in nodes]
            except ConfigError:
                self.broken.add(name)
                raise
            finally:
                self._being_resolved.pop()
        return self.ids[name]

    def note_deviation(self, node: str, key: str, paper: Any, used: Any, why: str) -> None:
        """Record a difference between the paper and this study.

        Parameters
        ----------
        node
            The name of the node, or "" for a whole base or task.
        key
            The option.
        paper, used
            The value of the paper and that of this study.
        why
            What makes the difference, for example "scale laptop".
        """
        self.deviations.append({"node": node, "key": key, "paper": paper, "used": used, "why": why})

    def note_override(self, node: str, key: str, used: list[Any], scale: list[Any]) -> None:
        """Record that a node's own values override one that its scale has for the option."""
        others = [value for value in scale if used != [value]]
        if others:
            self.overrides.append({"node": node, "key": key, "used": used, "scale": others[0]})

    # -- look-ups on names ------------------------------------------------------------------------

    def base_and_kind(self, name: str) -> tuple[str, str | None]:
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
        """Return the names of all model nodes."""
        return [
            name for name, (verb, _) in self.raw.items() if verb in self.verbs.sections["models"]
        ]

    def _cycle(self, names: list[str]) -> ConfigError:
        """Return the error of a cycle, which is the same wherever the cycle is entered."""
        first = names.index(min(names))
        names = [*names[first:], *names[:first]]
        return ConfigError(
            f"{self.places[names[0]]}: {' -> '.join([*names, names[0]])} is a cycle; break it."
        )
