"""A recipe's `for` written out, before anything else reads the recipe: its graph once for each of several tasks.

Under `for: {task: [violence, adverse]}` the node `plain` becomes violence-plain and adverse-plain, `task/train` becomes
violence/train and adverse/train, and what names a node names that of the same task. Bases keep their names, and so do
tasks that stand under their own.
"""

from postgrad.config.errors import Fault, Faults, lookup
from postgrad.graph.nodes import ROLES, SECTIONS

# Keys of a node that name nodes or splits; of these the models' may also name a base, and the last two only a split.
NAMING = (*ROLES, *SECTIONS["models"], "fit", "target")


def listed(raw, where):
    """(word, tasks): what stands in the places of the tasks that a recipe's `for` lists, and those, in its order.

    Raises Fault where the word is a task's own name, or a listed name is no task of the recipe. where: its path.
    """
    ((word, tasks),) = raw["for"].items()
    place, faults = f"{where}: for.{word}", Faults()
    if word in raw["tasks"]:
        faults.append(f"{place}: {word!r} is a task's own name; choose a word that stands for each listed task.")
    for task in tasks:
        with faults.gathered():
            lookup(raw["tasks"], task, place, "task")
    faults.end()
    return word, tasks


def expanded(raw, word, tasks, nodes, where):
    """The recipe with every node, score, compare and diversity entry made once for each of the tasks.

    nodes: names of all nodes in the file, those that could not be read among them. Raises Fault where two entries
    would get one name.
    """
    made = {**raw, **{section: {} for section in (*SECTIONS, "score", "compare", "diversity")}}
    for task in tasks:
        for section in (*SECTIONS, "score", "compare"):
            for name, body in raw.get(section, {}).items():
                own = f"{task}-{name}"
                if own in made[section]:
                    raise Fault(f"{where}: {section}.{name}: two entries would be called {own!r}; rename this one.")
                if section in SECTIONS:
                    body = {key: _value(key, value, word, task, nodes) for key, value in body.items()}
                elif section == "compare":
                    body = {key: _renamed(value, word, task) for key, value in body.items()}
                else:
                    body = _renamed(body, word, task, ())
                made[section][own] = body
    for name, body in raw.get("diversity", {}).items():
        for task in tasks if name == word else [name]:
            if task in made["diversity"]:
                raise Fault(f"{where}: diversity.{name}: {task} stands there twice; keep one.")
            sets = _renamed(body["sets"], word, task) if name == word else body["sets"]
            made["diversity"][task] = {**body, "sets": sets}
    return made


def _value(key, value, word, task, nodes):
    """A key of a node: renamed where it names something."""
    if key not in NAMING:
        return value
    if key in ROLES:
        return _renamed(value, word, task)
    return _renamed(value, word, task, nodes if key in SECTIONS["models"] else ())


def _renamed(value, word, task, nodes=None):
    """Names of the task for those of the word. nodes: which names without a slash are nodes; None: all of them."""
    if isinstance(value, list):
        return [_renamed(item, word, task, nodes) for item in value]
    if isinstance(value, dict):
        return {_renamed(key, word, task, nodes): _renamed(item, word, task, nodes) for key, item in value.items()}
    if not isinstance(value, str):
        return value
    alias, slash, split = value.partition("/")
    if slash:
        return f"{task}/{split}" if alias == word else value
    return f"{task}-{value}" if nodes is None or value in nodes else value
