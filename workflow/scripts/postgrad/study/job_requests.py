"""What each job asks of the machine that runs it: threads, resources, processes and its group.

None of this is part of a spec, so that another number of GPUs reruns nothing.
"""

import json
from functools import lru_cache
from typing import Any

from postgrad.config import cluster
from postgrad.graph import queries
from postgrad.records.names import TEACHING
from postgrad.study.paths import Paths
from postgrad.study.study import Study
from postgrad.verbs import language_models


class JobRequests:
    """The requests of all jobs of a study.

    Parameters
    ----------
    study : Study
    paths : Paths
        The paths of the same study.
    """

    def __init__(self, study: Study, paths: Paths) -> None:
        self.study, self.paths = study, paths
        # Snakemake asks once for each resource of a job.
        self._resources = lru_cache(maxsize=None)(self._resources_of_node)

    def is_gathering(self, recipe: str, node: str, file: str, shard: str | None) -> bool:
        """Return whether a job joins the shards of a file of predictions and runs no model."""
        return shard == "" and bool(self.paths.shards(recipe, node, file, ""))

    def threads(
        self, recipe: str, node: str, file: str | None = None, shard: str | None = None
    ) -> int:
        """Return the threads of a job that trains or runs a model."""
        if file and self.is_gathering(recipe, node, file, shard):
            return 1
        graph = self.study.graph(recipe)
        resolved = graph.nodes[node]
        if resolved.asked:
            return language_models.thread_count(graph, resolved)
        return resolved.options.get("threads", 1)

    def resources(
        self, verb: str, recipe: str, node: str, file: str | None, shard: str | None, attempt: int
    ) -> dict[str, Any]:
        """Return what a job asks of the cluster, as `cluster.job_resources` does.

        Parameters
        ----------
        verb : str
            The verb under which the scale's `machine` lists what the job asks for.
        recipe, node : str
        file, shard : str or None
            The file of predictions that the job makes, and its shard. A job that only joins shards
            runs no model and asks for little.
        attempt : int
            1 for the first submission. Each further one asks for that much more memory and time.
        """
        runs_model = not (file and self.is_gathering(recipe, node, file, shard))
        return self._resources(verb if runs_model else None, recipe, node, attempt)

    def _resources_of_node(
        self, verb: str | None, recipe: str, node: str, attempt: int
    ) -> dict[str, Any]:
        graph = self.study.graph(recipe)
        resolved = graph.nodes[node]
        if resolved.asked:  # a model that writes here asks for what it would ask to predict
            base, verb = next(iter(resolved.asked.values())), verb and "predict"
        else:
            base = graph.base_and_kind(resolved.name)[0]
        machine = self.study.scale["bases"].get(base, {}).get("machine", {})
        cpus = self.threads(recipe, node) if verb else 1
        return cluster.job_resources(
            {"cpus": cpus, **cluster.DEFAULT_REQUEST, **machine.get(verb, {})},
            self.study.cluster or {},
            attempt,
            stops=verb in ("pretrain", "finetune"),
        )

    def launch_options(self, verb: str, recipe: str, node: str) -> list[str]:
        """Return the words of a training's command line that say how many processes train."""
        return cluster.launch_arguments(self._resources(verb, recipe, node, 1))

    def model_access(self, recipe: str, node: str) -> str:
        """Return, as JSON, how the language models of a node are reached and what each may cost."""
        access = language_models.endpoint_access(self.study, self.paths.node(recipe, node))
        verb = self.paths.node(recipe, node).verb
        access |= {"work": f"work/{self.study.name}/{recipe}/{verb}/{node}"}
        return json.dumps(access, sort_keys=True)

    def scoring_group(self, recipe: str, node: str | None, file: str | None) -> str | None:
        """Return the group of a recipe's cheap last jobs, which are one submission to a cluster.

        A predictor for which a model waits, and a teaching file, are jobs of their own: None.
        """
        is_awaited = node in queries.predictors_for_expensive(self.study.graph(recipe))
        return None if is_awaited or file == TEACHING else f"{recipe}-scores"
