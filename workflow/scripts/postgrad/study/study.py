"""Read a study from its files: recipes, scale, bases and tasks.

No large library is imported, because Snakemake reads this at every start.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from postgrad.config import cluster, task_files
from postgrad.config.errors import ConfigError, ConfigErrors, lookup, name_suggestion
from postgrad.config.schemas import read_schema, valid_part, without_required_keys
from postgrad.config.yaml_files import as_list, read_yaml
from postgrad.demo.file_formats import COLUMNS as GRAMMARS
from postgrad.graph.defaults import apply_defaults
from postgrad.graph.expansion import expand_recipe, read_task_list
from postgrad.graph.fault_places import messages_for_file
from postgrad.graph.graph import Graph
from postgrad.graph.nodes import RESERVED, Node
from postgrad.graph.options import (
    option_schemas,
    options_schema,
    options_set_by_node,
    predict_defaults,
)
from postgrad.graph.protocol import SECTIONS
from postgrad.graph.queries import splits_scored_beside
from postgrad.records.names import SPLITS
from postgrad.study import extension, raw_files
from postgrad.verbs.registry import VERBS

# In the place of a task that cannot be read, so that the rest can be checked: it has every split
# and allows all.
_ANY_TASK = {"splits": dict.fromkeys(SPLITS, {}), "labels": [], "endpoints": True}


class Study:
    """A study, config/studies/<name>.yaml, with its recipes, scale, bases and tasks.

    `recipes` are those that the study asks for; `graph` returns the graph of any recipe.

    Parameters
    ----------
    config
        Snakemake's config. `study` names the file, and the other keys override those of the study.
        The raw posts must exist unless `check_data` is false.
    root
        The folder of the configuration.
    reads_posts
        Whether the beginning of each raw file is held against its task file. The main process does
        this, and its jobs need not do it again.

    Raises
    ------
    ConfigError
        With a message for each mistake: file, key path, what was found, and the remedy.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        root: Path | str = "config",
        reads_posts: bool = False,
    ) -> None:
        self.root, self.faults = Path(root), ConfigErrors()
        self._reads_posts = reads_posts
        self._tasks: dict[str, dict[str, Any] | None] = {}
        self._prompts: dict[str, dict[str, str] | None] = {}
        self._told = f"{self.root}/config.yaml or --config"
        self._config = self._fits(_typed(config), read_schema("config"), self._told)
        if self._config is None or "study" not in self._config:
            self.faults.raise_any()
        self.name, config = self._config["study"], self._config
        self.where = f"{self.root}/studies/{self.name}.yaml"
        raw = self._read_study()
        if raw is None:
            self.faults.raise_any()
        self.check_data, self.cluster = config.get("check_data", True), config.get("cluster")
        if "made" in raw and "data" in {**raw, **config}:
            self.faults.append(
                f"{self.place('data')}: data: {self.name} makes up its own posts; "
                "leave data out, or choose a study."
            )
        raw.update(
            {
                key: value
                for key, value in config.items()
                if key not in ("study", "check_data", "cluster")
            }
        )
        self.title, self.scale_name, self.mode = (
            raw["title"],
            raw["scale"],
            raw.get("mode", "recommended"),
        )
        self.seeds, self.bind, self.made = raw.get("seeds", 3), raw.get("bind", {}), raw.get("made")
        self.shards, self.folds = raw.get("shards", 1), raw.get("folds")
        self.most_tasks, self.most_train = raw.get("tasks"), raw.get("train")
        self.margin = raw.get("margin", 0.01)
        self.endpoints = raw.get(
            "endpoints"
        )  # requests and tokens to spend; None where no post goes to an endpoint
        self.data = self._folder(raw)
        self._read_bases_and_scale()
        self.graphs: dict[str, Graph] = {}
        self.recipes: list[str] = raw["recipes"]
        for recipe in self.recipes:
            self._read_recipe(recipe, f"{self.place('recipes')}: recipes")
        self._check_bindings()
        self._check_posts(self.recipes)
        self.faults.raise_any()

    # -- files ------------------------------------------------------------------------------------

    def _fits(
        self, content: Any, schema: dict[str, Any], where: str, path: Sequence[str | int] = ()
    ) -> Any:
        return valid_part(content, schema, where, self.faults, path)

    def _read_study(self) -> Any:
        """Return the study's file merged with those that it extends, without what does not fit.

        None if too little is left.
        """
        part, before = without_required_keys(read_schema("study")), len(self.faults)
        files: extension.Files = []

        def read(name: str, named: str) -> tuple[str, Any]:
            return f"{self.root}/studies/{name}.yaml", self._file("studies", name, part, named)

        with self.faults.collecting():
            files = extension.read_study_files(self.name, read, f"{self._told}: study")
        if not files:
            return None
        self._files, raw = files, extension.merge_files(files)
        lacking = (
            ConfigErrors() if len(self.faults) > before else self.faults
        )  # a broken value does not count as missing
        return valid_part(raw, read_schema("study"), self.where, lacking)

    def place(self, *keys: str) -> str:
        """Return the file, of this study or one that it extends, that gives these keys.

        If the configuration overrides the first key, it is the place of the configuration.
        """
        return self._told if keys[0] in self._config else extension.key_place(self._files, keys)

    def _file(self, folder: str, name: str, schema: dict[str, Any], named: str) -> Any:
        """Return the content of config/<folder>/<name>.yaml without what does not fit the schema.

        None if too little is left. `named` is the place that names the file.
        """
        path = self.root / folder / f"{name}.yaml"
        with self.faults.collecting():
            if not path.is_file():
                known = [file.stem for file in path.parent.glob("*.yaml")]
                raise ConfigError(
                    f"{named}: there is no file {path}; {name_suggestion(name, known)}"
                )
            return self._fits(read_yaml(path), schema, str(path))
        return None

    def _folder(self, raw: Mapping[str, Any]) -> str:
        """Return the folder of the raw posts; it is empty, which is a mistake, if none is given."""
        if self.made is not None:
            return f"work/{self.name}/posts"
        if "data" not in raw and self.check_data:
            self.faults.append(
                f"{self.where}: this study needs posts: add --config data=FOLDER, which holds them."
            )
            return ""
        return str(Path(raw.get("data", "posts")).expanduser())

    def _read_bases_and_scale(self) -> None:
        """Read bases and scale.

        What cannot be read is replaced by an empty mapping, so that it is not reported as unknown
        as well.
        """
        path = self.root / "bases.yaml"
        self.bases: dict[str, dict[str, Any]] = {}
        content: dict[str, Any] = {}
        with self.faults.collecting():
            content = read_yaml(path)
            self.bases = self._fits(content, read_schema("bases"), str(path)) or {}
        self.bases = {name: self.bases.get(name, {"kind": None}) for name in content}
        for name, body in self.bases.items():
            sizes = body.get("make")
            if sizes and sizes["hidden"] % (2 * sizes["heads"]):
                self.faults.append(
                    f"{path}: {name}.make.hidden: {sizes['hidden']} must be a multiple of twice "
                    "the heads; change hidden or heads."
                )
        self.scale: Any = self._file(
            "scales", self.scale_name, read_schema("scale"), f"{self.place('scale')}: scale"
        )
        if self.scale is None or "bases" not in self.scale:
            self.scale = {"bases": {name: {} for name in self.bases}}
        for base, body in self.scale["bases"].items():
            where = f"{self.root}/scales/{self.scale_name}.yaml"
            with self.faults.collecting():
                lookup(self.bases, base, f"{where}: bases", "base")
            with self.faults.collecting():
                if body.get("model") is not None:
                    lookup(self.bases, body["model"], f"{where}: bases.{base}.model", "base")
            for verb in ("pretrain", "finetune", "predict"):
                if verb in body:
                    body[verb] = (
                        self._fits(body[verb], options_schema(verb), where, ("bases", base, verb))
                        or {}
                    )
        with self.faults.collecting():
            cluster.check_machine_requests(
                self.scale, self.cluster or {}, f"{self.root}/scales/{self.scale_name}.yaml"
            )

    def _read_recipe(self, recipe: str, named: str) -> None:
        if recipe in RESERVED:
            self.faults.append(f"{named}: {recipe!r} is a folder of results; rename the recipe.")
        path = self.root / "recipes" / f"{recipe}.yaml"
        raw = self._file("recipes", recipe, read_schema("recipe"), named)
        content = read_yaml(path) if raw is not None else {}
        if raw is None or (
            "for" in content and "for" not in raw
        ):  # its word would be called an unknown task
            return
        sections = [
            section
            for key, section in content.items()
            if key in SECTIONS and isinstance(section, dict)
        ]
        names = {name for section in sections for name in section}
        broken = names - {name for section in SECTIONS for name in raw.get(section, {})}
        count_before = len(self.faults)
        word: str | None = None
        tasks: list[str] = []
        left_out: list[str] = []
        with self.faults.collecting():
            raw, lacking = apply_defaults(raw, str(path), self.bases, self.faults, VERBS)
            broken |= lacking
            if "for" in raw:
                word, tasks = read_task_list(raw, str(path))
                tasks, left_out = tasks[: self.most_tasks], tasks[self.most_tasks or len(tasks) :]
                raw = expand_recipe(raw, word, tasks, names, self.bases, str(path), VERBS)
                broken = {f"{task}-{name}" for task in tasks for name in broken}
            self.graphs[recipe] = Graph(self, recipe, raw, self.faults, VERBS, broken, left_out)
        self.faults[count_before:] = messages_for_file(
            self.faults[count_before:], content, word, tasks, VERBS
        )

    def read(self, recipes: Iterable[str]) -> None:
        """Read the graphs of these recipes, also of those that the study does not ask for.

        Raise `ConfigError` as the study itself does.
        """
        for recipe in recipes:
            if recipe not in self.graphs:
                self._read_recipe(recipe, f"{self.root}/recipes")
        self._check_posts(recipes)
        self.faults.raise_any()

    def task(self, name: str, named: str = "") -> dict[str, Any]:
        """Return the full content of a task file, which is read and checked once.

        Parameters
        ----------
        name
            The task.
        named
            The place that names it, for messages.
        """
        if name not in self._tasks:
            before = len(self.faults)
            body = self._file("tasks", name, read_schema("task"), named)
            if body is not None:
                body = task_files.complete_task(body, name)
            with self.faults.collecting():
                if len(self.faults) == before:
                    task_files.check_task(body, f"{self.root}/tasks/{name}.yaml")
            self._tasks[name] = body
        return self._tasks[name] or _ANY_TASK

    def prompt(self, name: str, named: str) -> dict[str, str] | None:
        """Return the prompt config/prompts/<name>.yaml, {system, user}, which is read once.

        None if it cannot be read, which was already reported.

        Parameters
        ----------
        name
            The prompt.
        named
            The place that names it, for messages.
        """
        if name not in self._prompts:
            self._prompts[name] = self._file("prompts", name, read_schema("prompt"), named)
        return self._prompts[name]

    def _check_bindings(self) -> None:
        """Check what a study says about recipes and tasks that it does not run."""
        for recipe in self.bind:
            with self.faults.collecting():
                lookup(
                    dict.fromkeys(self.all_recipes()),
                    recipe,
                    f"{self.place('bind', recipe)}: bind",
                    "recipe",
                )
        for task in self.made.get("posts", {}) if self.made else []:
            place = f"{self.place('made', 'posts', task)}: made.posts"
            self.task(task, place)
            if not self._broken_task(task) and task not in GRAMMARS:
                self.faults.append(
                    f"{place}: there is no grammar for {task}; posts can be made up for "
                    f"{', '.join(GRAMMARS)}."
                )

    def _check_posts(self, recipes: Iterable[str]) -> None:
        """Check the raw files of all tasks of these recipes, unless they are made here.

        They have to exist, and if nothing else is wrong, their columns and labels have to be those
        of the task files. They are not checked if `check_data` is false.
        """
        tasks = self.tasks(recipes)
        for task in tasks if self.made is not None else []:
            if task in self.made.get("posts", {}) or self._broken_task(task):
                continue
            if task in GRAMMARS:
                finding = f"{task} is missing; say how many posts it gets."
            else:
                finding = (
                    f"there is no grammar for {task}; posts can be made up for "
                    f"{', '.join(GRAMMARS)}; bind one of them in its place."
                )
            self.faults.append(f"{self.where}: made.posts: {finding}")
        if (
            self.made is not None
            or not self.check_data
            or not self.data
            or any(map(self._broken_task, tasks))
        ):
            return
        lacking = ConfigErrors()
        for task in tasks:
            with lacking.collecting():
                task_files.check_raw_files(
                    self.task(task), self.raw_parts(task), f"{self.root}/tasks/{task}.yaml"
                )
        if lacking:
            remedy = (
                "Give their folder with --config data=FOLDER; a dry run goes without posts: "
                "--config check_data=false."
            )
            self.faults += [*lacking, remedy]
        elif self._reads_posts and not self.faults:
            files = [
                file
                for task in tasks
                for file in raw_files.described_files(
                    task,
                    self.task(task),
                    self.raw_parts(task),
                    self.data,
                    f"{self.root}/tasks/{task}.yaml",
                )
            ]
            self.faults += raw_files.raw_file_messages(
                files, Path(f"work/{self.name}/raw_files.json")
            )

    def _broken_task(self, name: str) -> bool:
        return self._tasks.get(name) is None

    # -- look-ups ---------------------------------------------------------------------------------

    def all_recipes(self) -> list[str]:
        """Return the names of all recipes of config/recipes."""
        return sorted(path.stem for path in (self.root / "recipes").glob("*.yaml"))

    def graph(self, recipe: str) -> Graph:
        """Return the graph of a recipe, which is read when it is first used.

        Raise `ConfigError`.
        """
        if recipe not in self.graphs:
            self.read([recipe])
        return self.graphs[recipe]

    def tasks(self, recipes: Iterable[str] | None = None) -> list[str]:
        """Return the tasks that these recipes read, each once, sorted by name.

        Default: those of the recipes that the study asks for.
        """
        graphs = [
            self.graphs[recipe] for recipe in recipes or self.recipes if recipe in self.graphs
        ]
        return sorted({task for graph in graphs for task in graph.tasks.values()})

    def scored_beside(self, task: str) -> list[str]:
        """Return the splits of other tasks on which models that stand on a task are scored.

        They are named by their tasks, such as caves/test, and sorted. The recipes are those that
        the study asks for.
        """
        found = {
            split
            for recipe in self.recipes
            for split in splits_scored_beside(self.graph(recipe)).get(task, ())
        }
        return sorted(found)

    def model_of(self, base: str) -> str | None:
        """Return the model that replaces a base at this scale.

        None if there is none, and the base itself if the scale does not say.
        """
        return self.scale["bases"].get(base, {}).get("model", base)

    def raw_parts(self, task: str) -> list[tuple[str, dict[str, Any], list[Path]]]:
        """Return the raw files of a task as (key path in its file, part of the file, paths).

        Patterns are replaced by the files that match them.
        """
        body, found = self.task(task), []
        parts = [
            (f"splits.{split}", body["splits"][split])
            for split in SPLITS
            if split in body["splits"]
        ]
        for place, part in [*parts, ("divide", body.get("divide", {}))]:
            for key in ("file", "files", "from"):
                for pattern in as_list(part.get(key, [])):
                    paths = sorted(Path(self.data).glob(pattern)) or [Path(self.data) / pattern]
                    found.append((f"{place}.{key}", part, paths))
        return found

    def raw_files(self, task: str) -> list[str]:
        """Return the paths of a task's raw files.

        A gold file is listed only if it exists, and so are all files if posts are not checked.
        """
        body, is_needed = self.task(task), self.made is not None or self.check_data
        files = [
            path
            for _, _, paths in self.raw_parts(task)
            for path in paths
            if is_needed or path.is_file()
        ]
        gold = (
            Path(self.data) / part["gold"] for part in body["splits"].values() if "gold" in part
        )
        return sorted(
            {
                str(path)
                for path in [*files, *(path for path in gold if self.made or path.is_file())]
            }
        )

    def made_files(self) -> list[str]:
        """Return the raw files that the verb demo makes; none if the posts are real."""
        return (
            [file for task in sorted(self.made["posts"]) for file in self.raw_files(task)]
            if self.made
            else []
        )

    def predict_options(self, graph: Graph, node: Node) -> dict[str, Any]:
        """Return the options with which a model predicts.

        They come from its training, from the scale, and from its node.
        """
        root, _ = graph.base_and_kind(node.name)
        scale = self.scale["bases"].get(root, {}).get("predict", {})
        own = options_set_by_node(graph, *graph.raw[node.name], root) & node.options.keys()
        values = {
            **predict_defaults(graph, root),
            **node.options,
            **scale,
            **{key: node.options[key] for key in own},
        }
        return {key: values[key] for key in option_schemas("predict", node.kind) if key in values}


def _typed(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return Snakemake's config with the types of its schema.

    Snakemake may pass values of --config as text.
    """
    truth: dict[str, Any] = {"true": True, "false": False}
    typed = {
        key: truth.get(value, value) if isinstance(value, str) else value
        for key, value in config.items()
    }
    recipes = typed.get("recipes")
    if isinstance(recipes, str):
        typed["recipes"] = [name.strip() for name in recipes.split(",")]
    return typed
