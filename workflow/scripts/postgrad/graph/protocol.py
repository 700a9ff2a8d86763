"""What the workflow asks of a verb.

`Verb` and its subclasses have defaults that mean "nothing special". Each module of postgrad/verbs
that is named after a verb has one record, an object of such a class. `Verbs` is the table of all
records. So neither graph nor study mentions a verb that a recipe can do without.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from postgrad.graph.nodes import Node

# The sections of a recipe; each verb of a node belongs to one of them.
SECTIONS = ("datasets", "models", "predictors")
# What a node can be where another one names it.
DATASET, NEW_POSTS, FOLDS, PREDICTOR = "dataset", "new posts", "folds", "predictor"

Splits = tuple[str, ...]
# A path, several paths, or a path for each name.
Files = str | list[str] | dict[Any, str]
# The axes of a point, the values of the options among them, and the ids bound to each name.
Point = tuple[dict[str, Any], dict[str, Any], dict[str, Any]]


class Verb:
    """A verb as the Snakemake side knows it.

    Attributes
    ----------
    name : str
        The name of the rule, the script and the folder of the results.
    expensive : bool
        Whether the result costs GPU time or money. The code of such a verb counts by the VERSION in
        the script, not by its syntax tree.
    """

    name: str
    expensive = False

    def inputs(self, paths: Any, recipe: str, node: str, file: str, shard: str) -> dict[str, Files]:
        """Return the files that a job reads, by role.

        Parameters
        ----------
        paths
            The study's `Paths`.
        recipe, node, file, shard
            The wildcards of the rule, or None where it has no such wildcard.
        """
        return {}

    def report_files(self, paths: Any, graph: Any) -> dict[str, Files]:
        """Return the files of one recipe that the report reads, by option of report.py."""
        return {}

    def reported_nodes(self, graph: Any) -> Iterable[str]:
        """Return the ids of the nodes that `report_files`, or the content of these files, name."""
        return ()


class NodeVerb(Verb):
    """A verb that is a key of a node in a recipe.

    Attributes
    ----------
    section : str
        One of `SECTIONS`.
    makes : tuple of str
        What its nodes are where other nodes name them: `DATASET`, `NEW_POSTS`, `FOLDS` or
        `PREDICTOR`.
    names : dict
        For each key that names something, what the named node has to make. None if only splits may
        be named. Bases are not among these keys.
    readable : dict
        For each key, the splits that it may name.
    asks : str or None
        The key under which its nodes name the language models that they ask.
    labels : dict
        For each option that names labels, what else may be named there.
    capped : dict
        For an option, the attribute of the study that is its upper limit.
    weighing : tuple of str
        Keys whose value is a mapping from names of nodes that another key names as well.
    reduces : bool
        Whether it makes one node from several points of an axis.
    joins_folds : bool
        Whether a node that reduces the folds has the predictions of all held-out posts.
    needs_fit : bool
        Whether its nodes have to name gold posts under `fit`.
    learns_labels : bool
        Whether it learns the gold labels of the splits that it reads.
    holds_sources : bool
        Whether its nodes contain posts of their sources unchanged.
    stands_alone : bool
        Whether its nodes are a whole training set, so that nothing stands beside them under `data`.
    varies_posts : bool
        Whether each of its posts is a copy or a variant of one that it reads, and names that one.
    """

    section: str
    makes: tuple[str, ...] = ()
    names: Mapping[str, str | None] = {}
    readable: Mapping[str, Splits] = {}
    asks: str | None = None
    labels: Mapping[str, tuple[str, ...]] = {}
    capped: Mapping[str, str] = {}
    weighing: tuple[str, ...] = ()
    reduces = False
    joins_folds = False
    needs_fit = False
    learns_labels = False
    holds_sources = False
    stands_alone = False
    varies_posts = False

    @property
    def data_key(self) -> str | None:
        """The key of the posts that a node reads."""
        return {"datasets": self.name, "models": "data"}.get(self.section)

    @property
    def members_key(self) -> str | None:
        """The key of the predictors whose predictions a node reads."""
        return next((key for key, role in self.names.items() if role == PREDICTOR), None)

    def fit_split(self, graph: Any, body: dict[str, Any]) -> str | None:
        """Return the gold split on which a node is fitted or chosen, or None."""
        return body.get("fit")

    def asked_models(
        self, graph: Any, body: dict[str, Any], where: str
    ) -> tuple[dict[str, str], str | None]:
        """Return the language models that a node asks, and why the node is not run, or None.

        The models are a mapping from the name of the model at this scale to the base that the node
        names. Raise `ConfigError` if a base does not exist.
        """
        return {}, None

    def reason_not_to_run(
        self, graph: Any, body: dict[str, Any], kind: str | None, root: str | None
    ) -> str | None:
        """Return why a node without an error cannot be run at this scale, or None.

        Parameters
        ----------
        graph
            The graph.
        body
            The node as the recipe writes it.
        kind
            The kind of its model.
        root
            The base from which it descends.
        """
        return None

    def reason_from_values(
        self,
        graph: Any,
        body: dict[str, Any],
        values: dict[str, list[Any]],
        fit: str | None,
        where: str,
    ) -> str | None:
        """Return why a node is not run with the values that its options may take, or None.

        Raise `ConfigError` if the values do not fit together.

        Parameters
        ----------
        graph
            The graph.
        body
            The node as the recipe writes it.
        values
            The values that each option may take.
        fit
            The split on which it is fitted.
        where
            The node's place in the recipe, for messages.
        """
        return None

    def split_points(self, points: list[Point], options: dict[str, Any]) -> list[Point]:
        """Return the points of a node, divided further by an axis that the verb adds."""
        return points

    def sources_and_fit_at_point(
        self, task: str | None, options: dict[str, Any], sources: list[str], fit: str | None
    ) -> tuple[list[str], str | None]:
        """Return which of its sources and fit split a node reads at one point."""
        return sources, fit

    def is_fitted(self, body: dict[str, Any], options: dict[str, Any]) -> bool:
        """Return whether the result at one point depends on the gold labels of the fit split."""
        return True

    def pool_part(
        self,
        graph: Any,
        body: dict[str, Any],
        options: dict[str, Any],
        axes: dict[str, Any],
        bound: dict[str, Any],
    ) -> tuple[int, int] | None:
        """Return which part of its posts a node takes at one point, or None if it takes all.

        The result (i, k) is the i-th of k parts.

        Parameters
        ----------
        graph
            The graph.
        body
            The node as the recipe writes it.
        options
            The options at this point.
        axes
            The axes of the point.
        bound
            The ids of the nodes that it stands on, by name.
        """
        return None

    def teaching_datasets(self, node: Node) -> list[str]:
        """Return the datasets that a node reads from its members' files `teaching`."""
        return []

    def reason_not_held_out(self, node: Node) -> str | None:
        """Return why the node's own work has used the held-out posts, or None.

        The text continues a sentence that begins with the name of the node.
        """
        return None

    def check(self, graph: Any, node: Node, where: str) -> None:
        """Raise `ConfigError` if a resolved node cannot do what the recipe says."""

    def spec(self, graph: Any, node: Node) -> dict[str, Any]:
        """Return all that decides a node's result beside its inputs and code."""
        spec: dict[str, Any] = {"node": node.id, **node.options}
        if node.kind:
            spec["kind"] = node.kind
        if node.target is not None:
            spec["target"] = node.target
        return spec

    def nodes_by_role(self, graph: Any, node: Node) -> dict[str, list[str]]:
        """Return the ids of the nodes that a node reads in roles of the verb's own."""
        return {}


class RecipeVerb(Verb):
    """A verb that is a section of a recipe, in which each task has an entry.

    A recipe has one such job.

    Attributes
    ----------
    naming : tuple of str
        Keys of an entry that name splits or nodes.
    """

    naming: tuple[str, ...] = ()

    def resolve_section(
        self, graph: Any, section: dict[str, Any], faults: Any
    ) -> dict[str, dict[str, Any]]:
        """Return the entry of each task with all its options, and with a `reason` if it is not run.

        Parameters
        ----------
        graph
            The graph, whose nodes are resolved.
        section
            The section as the recipe writes it.
        faults
            Gathers the errors.
        """
        return {}

    def named_bases(self, graph: Any) -> set[str]:
        """Return the bases that the recipe's section names. Default: none."""
        return set()

    def spec(self, graph: Any) -> dict[str, Any]:
        """Return all that decides the recipe's result beside its inputs and code."""
        return {}

    def nodes_by_role(self, graph: Any) -> dict[str, list[str]]:
        """Return the ids of the nodes that the job reads, by role."""
        return {}


class Verbs(Mapping[str, Verb]):
    """The records of all verbs by name.

    Those of nodes are in the order of workflow/schemas/verbs.yaml; those of recipes come last.

    Parameters
    ----------
    records
        The records.
    order
        The names of the verbs in the order of the schema.
    """

    def __init__(self, records: Iterable[Verb], order: tuple[str, ...]):
        """Order the records."""
        rank = {name: place for place, name in enumerate(order)}
        ranked = sorted(records, key=lambda record: (rank.get(record.name, len(rank)), record.name))
        self._records = {record.name: record for record in ranked}
        self.nodes = {
            name: record for name, record in self._records.items() if isinstance(record, NodeVerb)
        }
        self.of_recipe = {
            name: record for name, record in self._records.items() if isinstance(record, RecipeVerb)
        }
        self.sections = {
            section: tuple(name for name, record in self.nodes.items() if record.section == section)
            for section in SECTIONS
        }

    def __getitem__(self, name: str) -> Verb:
        """Return the record of a verb."""
        return self._records[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names of the verbs."""
        return iter(self._records)

    def __len__(self) -> int:
        """Return the number of verbs."""
        return len(self._records)

    def verbs_that_make(self, what: str | None) -> tuple[str, ...]:
        """Return the verbs whose nodes are `what`: DATASET, NEW_POSTS, FOLDS or PREDICTOR."""
        return tuple(name for name, record in self.nodes.items() if what in record.makes)

    def verbs_with_trait(self, trait: str) -> tuple[str, ...]:
        """Return the verbs for which an attribute is true, for example "reduces"."""
        return tuple(
            name for name, record in self._records.items() if getattr(record, trait, False)
        )
