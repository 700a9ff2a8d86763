"""What the workflow asks of a verb, so that neither graph nor study mentions any that a recipe can
do without.

`Verb` and its kinds are base classes whose defaults mean "nothing special"; each module of
postgrad/verbs that is named after a verb holds one record of it. `Verbs` is the table of all
records.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from postgrad.graph.nodes import Node

SECTIONS = (
    "datasets",
    "models",
    "predictors",
)  # of a recipe; each verb of a node belongs to one of them
# What a node can be where another one names it.
DATASET, NEW_POSTS, FOLDS, PREDICTOR = "dataset", "new posts", "folds", "predictor"

Splits = tuple[str, ...]
Files = str | list[str] | dict[Any, str]  # a path, several, or each under its name
Point = tuple[
    dict[str, Any], dict[str, Any], dict[str, Any]
]  # axes, the values of the options among them, the ids bound to each name


class Verb:
    """A verb as the Snakemake side knows it.

    Attributes
    ----------
    name : str
        The rule, the script and the folder of the results are called so.
    expensive : bool
        The result costs GPU time or money, so its code counts by the VERSION in the script.
    """

    name: str
    expensive = False

    def inputs(self, paths: Any, recipe: str, node: str, file: str, shard: str) -> dict[str, Files]:
        """The files that a job reads, by role.

        paths: the study's Paths; the others are wildcards or None.
        """
        return {}

    def report_files(self, paths: Any, graph: Any) -> dict[str, Files]:
        """The files that the report reads of one recipe, by the option of report.py that takes
        them.
        """
        return {}

    def reported_nodes(self, graph: Any) -> Iterable[str]:
        """Ids of the nodes that `report_files`, or what stands in them, are named after."""
        return ()


class NodeVerb(Verb):
    """A verb that stands as a key in a node of a recipe.

    Attributes
    ----------
    section : str
        One of SECTIONS.
    makes : tuple of str
        What its nodes are where others name them, of DATASET, NEW_POSTS, FOLDS and PREDICTOR.
    names : dict
        Key -> what the nodes are that may stand there; None where only splits may. A base is not
        among them.
    readable : dict
        Key -> the splits that may stand there.
    asks : str or None
        The key under which its nodes name the language models that they ask.
    labels : dict
        Option that names labels -> what else may stand there.
    capped : dict
        Option -> the attribute of the study that is its upper limit.
    weighing : tuple of str
        Keys of a mapping from names of nodes, which another key names as well.
    reduces : bool
        It makes one node of several points of an axis.
    joins_folds : bool
        Where it reduces the folds, it has the predictions of all held-out posts.
    needs_fit : bool
        Its nodes have to name gold posts under `fit`.
    learns_labels : bool
        It learns the gold labels of the splits that it reads.
    holds_sources : bool
        Its nodes hold posts of their sources themselves.
    stands_alone : bool
        Its nodes hold a whole training set, so that nothing stands beside them under `data`.
    varies_posts : bool
        Each of its posts is a copy or a variant of one that it reads, and says of which.
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
        """The gold split on which a node is fitted or chosen."""
        return body.get("fit")

    def asked_models(
        self, graph: Any, body: dict[str, Any], where: str
    ) -> tuple[dict[str, str], str | None]:
        """Return the language models that a node asks, and why the node is not run, or None.

        The models are a mapping from the name of the model at this scale to the base that the node names.
        Raise `ConfigError` if a base does not exist.
        """
        return {}, None

    def reason_not_to_run(
        self, graph: Any, body: dict[str, Any], kind: str | None, root: str | None
    ) -> str | None:
        """Why a node without a fault has no place at this scale."""
        return None

    def reason_of_values(
        self,
        graph: Any,
        body: dict[str, Any],
        values: dict[str, list[Any]],
        fit: str | None,
        where: str,
    ) -> str | None:
        """Why a node is not run, by the values that its options may take.

        Raises ConfigError where they do not fit.
        """
        return None

    def split_points(self, points: list[Point], options: dict[str, Any]) -> list[Point]:
        """The points of a node, further divided by an axis that the verb adds."""
        return points

    def read_at(
        self, task: str | None, options: dict[str, Any], sources: list[str], fit: str | None
    ) -> tuple[list[str], str | None]:
        """(sources, fit split) that a node reads at one point, of those that it names."""
        return sources, fit

    def is_fitted(self, body: dict[str, Any], options: dict[str, Any]) -> bool:
        """Whether the result at one point depends on the gold labels of the fit split."""
        return True

    def part(
        self,
        graph: Any,
        body: dict[str, Any],
        options: dict[str, Any],
        axes: dict[str, Any],
        bound: dict[str, Any],
    ) -> tuple[int, int] | None:
        """(i, k): the part of the posts that a node at one point takes, or None for all."""
        return None

    def learns_from(self, node: Node) -> list[str]:
        """Datasets of which a node reads its members' predictions in their file `teaching`."""
        return []

    def reason_not_held_out(self, node: Node) -> str | None:
        """Why a node's own work makes its predictions of held-out posts no test, as what follows
        its name.
        """
        return None

    def check(self, graph: Any, node: Node, where: str) -> None:
        """Raise ConfigError where a resolved node could not do what it says."""

    def spec(self, graph: Any, node: Node) -> dict[str, Any]:
        """All that decides a node's result beside its inputs and code."""
        spec: dict[str, Any] = {"node": node.id, **node.options}
        if node.kind:
            spec["kind"] = node.kind
        if node.target is not None:
            spec["target"] = node.target
        return spec

    def reads(self, graph: Any, node: Node) -> dict[str, list[str]]:
        """Names of nodes that a node reads in roles of the verb's own."""
        return {}


class RecipeVerb(Verb):
    """A verb that a recipe names as a section of its own: task -> what is wanted there. One job
    does a recipe.

    Attributes
    ----------
    naming : tuple of str
        Keys of an entry that name splits or nodes.
    """

    naming: tuple[str, ...] = ()

    def resolve(
        self, graph: Any, section: dict[str, Any], faults: Any
    ) -> dict[str, dict[str, Any]]:
        """Task -> the entry with all its options, with a `reason` where it is not run.

        Errors go to `faults`.
        """
        return {}

    def bases(self, graph: Any) -> set[str]:
        """The bases that the recipe's section names."""
        return set()

    def spec(self, graph: Any) -> dict[str, Any]:
        """All that decides the recipe's result beside its inputs and code."""
        return {}

    def reads(self, graph: Any) -> dict[str, list[str]]:
        """Ids of the nodes that the job reads, by role."""
        return {}


class Verbs(Mapping[str, Verb]):
    """All records by the name of their verb, in the order of workflow/schemas/verbs.yaml, those of
    a recipe last.
    """

    def __init__(self, records: Iterable[Verb], order: tuple[str, ...]):
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
        return self._records[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._records)

    def __len__(self) -> int:
        return len(self._records)

    def making(self, what: str | None) -> tuple[str, ...]:
        """The verbs whose nodes may stand where `what` is named.

        One of DATASET, NEW_POSTS, FOLDS, PREDICTOR.
        """
        return tuple(name for name, record in self.nodes.items() if what in record.makes)

    def that(self, trait: str) -> tuple[str, ...]:
        """The verbs of which an attribute is true, for example `reduces`."""
        return tuple(
            name for name, record in self._records.items() if getattr(record, trait, False)
        )
