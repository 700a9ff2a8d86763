"""Nodes that ask language models: which ones at this scale, whether posts may go there, and what they are told."""

from postgrad.config.errors import Fault, Faults, lookup, nearest
from postgrad.config.yaml_files import as_list
from postgrad.graph.options import predict_defaults
from postgrad.graph.scale import kind_at_scale
from postgrad.graph.split_rules import gold_to_fit_on
from postgrad.llm.templates import FIELD
from postgrad.records.names import HELD_OUT
from postgrad.verbs.checks import posts_leave

NAMED = {"review": "reviewer", "synthesize": "writers"}  # verb -> the key under which it names its bases
# Verb -> the fields that it fills in, and those of them that the user's text has to hold.
FIELDS = {
    "review": ("text", "label", "about", "labels", "examples"),
    "synthesize": ("posts", "number", "label", "about", "labels", "own", "other", "attributes"),
}
NEEDED = {"review": ("text",), "synthesize": ("number",)}
WRITING = ("endpoint", "causal", "stand-in")  # kinds of model that write
ALWAYS = "always"  # the gate of a review that checks every prediction of its label
COMPUTING = ("threads", "attention", "precision")  # of a model in a folder: the scale's options of predict
# How an endpoint is reached decides no answer: no spec holds it.
REACHING = ("url", "key", "timeout", "tries", "limit")


def models(graph, verb, body, where):
    """({model of the scale: the base that the node names}, why the node is not run or None); ({}, None) for others.

    Bases that become one model are asked as one. Raises Fault for a name that is no base, and where none is named.
    """
    if verb not in NAMED:
        return {}, None
    key, found, faults, why = NAMED[verb], {}, Faults(), None
    if key not in body:
        raise Fault(f"{where}: {verb} asks a language model; name a base under {key}.")
    for base in as_list(body[key]):
        with faults.gathered():
            lookup(graph.study.bases, base, f"{where}.{key}", "base")
            kind = kind_at_scale(graph.study, base, f"{where}.{key}")
            if kind is None:
                why = why or f"scale {graph.study.scale_name} has no model in the place of {base}"
            elif kind not in WRITING:
                why = why or f"{verb} asks a model that writes; {base} is of kind {kind} at this scale"
            else:
                found.setdefault(graph.study.model_of(base), base)
    faults.end()
    return found, why


def read_by_review(task, values, fit):
    """(the splits from which a review draws examples, the split on which its gate is fitted or None).

    values: the options at one point; fit: the split that the node names.
    """
    return [f"{task}/train"] if values.get("shots") else [], None if values.get("gate") == ALWAYS else fit


def stood_in(study, asked):
    """Whether a rule answers in the place of one of these models."""
    return any(study.bases[model]["kind"] == "stand-in" for model in asked)


def check(graph, made, where):
    """Nothing; Fault where the posts of a resolved node may not go to its models, or its prompt does not fit."""
    place = f"{where}.{NAMED.get(made.verb)}"
    for model, base in made.asked.items():
        posts_leave(graph.study, model, graph.tasks[made.task], place)
        described(graph, model, base)
    name = made.options.get("prompt")  # None where it is missing, which is told elsewhere
    prompt = graph.study.prompt(name, f"{where}.prompt") if made.asked and name else None
    if prompt:
        file = f"{graph.study.root}/prompts/{name}.yaml"
        fitting(prompt, made.verb, file)
        if made.options.get("attributes") and "attributes" not in FIELD.findall(prompt["user"]):
            raise Fault(f"{where}.attributes: {file} shows none; write {{attributes}} there, or name another prompt.")
    if made.verb == "review" and {"check", "otherwise", "gate", "shots"} <= made.options.keys():
        review(graph, made, prompt, where)


def review(graph, made, prompt, where):
    """Nothing; Fault where a review's labels, gate and examples do not fit its task, its posts and its prompt."""
    names = [label["name"] for label in graph.study.task(graph.tasks[made.task])["labels"]]
    for key, known in (("check", names), ("otherwise", [*names, "proposed"])) if names else ():
        lookup(dict.fromkeys(known), made.options[key], f"{where}.{key}", "label")
    if made.options["gate"] != ALWAYS:
        if not made.fit:
            gold = gold_to_fit_on(graph, made.members)
            raise Fault(f"{where}: a gate is fitted on gold posts; name {gold} under fit, or write gate: always.")
        if "alpha" not in made.options:
            raise Fault(f"{where}: a gate opens where a paired test shows a gain; write alpha: 0.05, or gate: always.")
    if made.options["shots"] and prompt and "examples" not in FIELD.findall(prompt["system"] + prompt["user"]):
        file = f"{graph.study.root}/prompts/{made.options['prompt']}.yaml"
        raise Fault(f"{where}.shots: {file} has no {{examples}}; write them there, or shots: 0.")
    if made.options["shots"] and made.fit == f"{made.task}/{HELD_OUT}":
        raise Fault(f"{where}.fit: {made.fit} holds the posts of train that the prompt shows; write shots: 0.")


def fitting(prompt, verb, file):
    """Nothing; Fault for a field that the verb does not fill in, or that the user's text lacks."""
    for role in ("system", "user"):
        for field in FIELD.findall(prompt[role]):
            if field not in FIELDS[verb]:
                raise Fault(f"{file}: {role}: {verb} fills in no {{{field}}}; {nearest(field, FIELDS[verb])}")
    for field in NEEDED[verb]:
        if field not in FIELD.findall(prompt["user"]):
            raise Fault(f"{file}: user: {{{field}}} is missing; write it where the model is to read it.")


def described(graph, model, base):
    """All of a model that decides its answers but the weights in its folder: what stands in a node's spec.

    Raises Fault where a model in a folder lacks an option of predict, by which it computes.
    """
    study = graph.study
    body = {key: value for key, value in study.bases[model].items() if key not in REACHING}
    if body["kind"] != "causal":
        return {"base": model, **body}
    given = {**predict_defaults(graph, base), **study.scale["bases"].get(base, {}).get("predict", {})}
    if lacks := [key for key in COMPUTING if key not in given]:
        place = f"{study.root}/scales/{study.scale_name}.yaml: bases.{base}.predict"
        raise Fault(f"{place}: {model} is to write, and needs {', '.join(lacks)}; give it there.")
    return {"base": model, "kind": "causal", **{key: given[key] for key in COMPUTING}}


def threads(graph, node):
    """The most threads of a job that asks these models."""
    return max(described(graph, *pair).get("threads", 1) for pair in node.asked.items())


def reached(study, node):
    """How the models of a node are reached and what each may cost; no part of any spec, so nothing reruns for it.

    {"answers": the folder of all their answers, "budget": {requests, tokens} or None, "bases": {model: its url, ...}}.
    """
    bases = {model: study.bases[model] for model in node.asked}
    means = {model: {key: body[key] for key in REACHING if key in body} for model, body in bases.items()}
    return {"answers": f"work/{study.name}/answers", "budget": study.endpoints, "bases": means}
