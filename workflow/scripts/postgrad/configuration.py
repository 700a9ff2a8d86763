"""Configuration files as mappings; what is wrong in them becomes sentences with place, finding and remedy.

Faults are gathered, so that a person sees all of them at once.
"""

import math
import re
from contextlib import contextmanager
from copy import deepcopy
from difflib import get_close_matches
from functools import cache
from pathlib import Path

import jsonschema
import yaml

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
TAG = "tag:yaml.org,2002:"
MOST_VALUES = 20_000  # of one file, aliases written out: the largest file here has 600
PLACE = re.compile(r"(?<=\.yaml): [^\s:]+(?=: )")  # in a sentence: the key, behind the file's name
SHOWN = 40  # the longest text that a sentence repeats: a prompt or a post is never among them
EXPECTED = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "null",
}
LIMITS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "more than {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "less than {}",
    "minItems": "at least {} values",
    "maxItems": "at most {} values",
    "minProperties": "at least {} keys",
}
_checker = jsonschema.Draft202012Validator.TYPE_CHECKER.redefine(
    "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
)
VALIDATOR = jsonschema.validators.extend(jsonschema.Draft202012Validator, type_checker=_checker)


class Fault(ValueError):
    """Mistakes in configuration files, a sentence each: which file, which key, what was found, what to do.

    Without a sentence: what was asked for hangs on something whose fault is told already.
    """

    def __init__(self, *sentences):
        super().__init__("\n".join(sentences))
        self.sentences = sentences


class Faults(list):
    """Sentences of faults, each once, gathered while the reading goes on."""

    @contextmanager
    def gathered(self):
        """The faults of the body, instead of the first of them ending everything."""
        try:
            yield
        except Fault as fault:
            self.extend(sentence for sentence in fault.sentences if sentence not in self)

    def end(self):
        """Raise what was gathered, if anything was."""
        if self:
            raise Fault(*self)


def told_once(sentences):
    """Sentences that differ in their place alone as one, with the first place: an anchor's slip is one slip."""
    groups = {}
    for sentence in sentences:
        groups.setdefault(PLACE.sub("", sentence, count=1), []).append(sentence)
    more = {first: f" and {len(others)} more" if others else "" for first, *others in groups.values()}
    return [PLACE.sub(rf"\g<0>{count}", first, count=1) for first, count in more.items()]


def nearest(word, known):
    """The remedy for an unknown name: the nearest known one, or all of them."""
    known = sorted(map(str, known))
    close = get_close_matches(str(word), known, 1)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known) or 'none'}."


def lookup(table, name, where, what):
    """table[name], or a Fault that names the place and the nearest right name."""
    if name not in table:
        raise Fault(f"{where}: there is no {what} {name!r}; {nearest(name, table)}")
    return table[name]


def as_list(value):
    return list(value) if isinstance(value, (list, tuple)) else [value]


# -- YAML ------------------------------------------------------------------------------------------


def read_yaml(path):
    """One YAML file as a mapping.

    Raises Fault where it is missing, is not YAML or holds no mapping, and for what YAML 1.1 would read
    without a word as something else: a key that stands twice, `on` as a key, 010 and 1:30 as numbers.
    """
    path = Path(path)
    try:
        loader = LOADER(path.read_text(encoding="utf-8"))
        tree = loader.get_single_node()
        _check_tree(tree, str(path))
        content = loader.construct_document(tree) if tree else None
    except FileNotFoundError:
        names = [file.stem for file in path.parent.glob("*.yaml")]
        raise Fault(f"{path}: there is no such file; {nearest(path.stem, names)}") from None
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise Fault(f"{path}, line {line}: this is not UTF-8; save the file as UTF-8.") from None
    except OSError as error:
        raise Fault(f"{path}: cannot be read ({error.strerror}).") from None
    except (yaml.YAMLError, ValueError) as error:
        if isinstance(error, Fault):
            raise
        line = error.problem_mark.line + 1 if getattr(error, "problem_mark", None) else "?"
        raise Fault(f"{path}, line {line}: this is not YAML ({getattr(error, 'problem', 'unreadable')}).") from None
    if not isinstance(content, dict):
        raise Fault(
            f"{path}: expected a mapping of keys to values; {'the file is empty' if tree is None else 'mend it'}."
        )
    return content


def _check_tree(tree, where):
    """Nothing; Fault for the first trap in a tree of YAML nodes: aliases are followed."""
    todo, seen = [(tree, ())], 0
    while todo:
        node, above = todo.pop()
        seen += 1
        if node is None:
            continue
        place = f"{where}, line {node.start_mark.line + 1}"
        if any(node is other for other in above) or seen > MOST_VALUES:
            raise Fault(f"{place}: an alias (*) holds itself, or too much; write its values out.")
        if isinstance(node, yaml.ScalarNode):
            _check_scalar(node, place)
        elif isinstance(node, yaml.SequenceNode):
            todo += [(item, (*above, node)) for item in reversed(node.value)]
        else:
            _check_keys(node, where)
            todo += [(value, (*above, node)) for _, value in reversed(node.value)]


def _check_keys(node, where):
    keys = set()
    for key, _ in node.value:
        place, word = f"{where}, line {key.start_mark.line + 1}", key.value
        if key.tag == f"{TAG}merge":
            continue
        if key.tag != f"{TAG}str":
            kind = key.tag.removeprefix(TAG)
            raise Fault(
                f"{place}: the key {word if isinstance(word, str) else ''} is read as {kind}; put it in quotes."
            )
        if word in keys:
            raise Fault(f"{place}: the key {word!r} stands twice, and the first would be lost; keep one.")
        keys.add(word)


def _check_scalar(node, place):
    if node.tag == f"{TAG}int" and re.fullmatch(r"[-+]?0[0-7_]+|[^x]*:.*", node.value):
        raise Fault(f"{place}: YAML reads {node.value} as another number; write it without 0 or colons, or in quotes.")
    if node.tag == f"{TAG}float" and not _finite(node.value):
        raise Fault(f"{place}: {node.value} is no number that a setting can have; write a finite one.")


def _finite(text):
    try:
        return math.isfinite(float(text.replace("_", "")))
    except ValueError:  # .nan, .inf, 1:30.5
        return False


# -- schemas ---------------------------------------------------------------------------------------


@cache
def schema(name):
    """workflow/schemas/<name>.yaml."""
    return read_yaml(SCHEMAS / f"{name}.yaml")


def fitting(content, schema, where, faults, path=()):
    """`content` without what does not fit `schema`; None where the rest does not fit either.

    A sentence for each misfit goes to `faults`. where: the file; path: the keys above `content` in it.
    """
    validator = VALIDATOR(schema)
    errors = sorted(validator.iter_errors(content), key=lambda error: list(map(str, error.absolute_path)))
    if not errors:
        return content
    content = deepcopy(content)
    for error in errors:
        with faults.gathered():
            raise Fault(*sentences(error, where, path))
        keys = list(error.absolute_path)
        unknown = set(error.instance) - set(error.schema.get("properties", {})) if _closed(error) else set()
        while keys and not isinstance(keys[-1], str):  # a list loses its place as a whole
            keys.pop()
        parent = content
        for key in keys[: None if unknown else -1]:
            parent = parent[key] if not isinstance(parent, dict) or key in parent else {}
        for key in unknown or keys[-1:]:
            parent.pop(key, None)
    return content if validator.is_valid(content) else None


def _closed(error):
    return error.validator == "additionalProperties"


def sentences(error, where, path=()):
    """One misfit that jsonschema found, as sentences: file, key path, what was found, the remedy."""
    path = ".".join(map(str, [*path, *error.absolute_path]))
    place, value, wanted = f"{where}: {path}" if path else where, error.instance, error.validator_value
    about = error.schema.get("description")
    told = "what stands there" if error.schema.get("writeOnly") else found(value)  # a key by mistake, say
    if _closed(error):
        known = error.schema.get("properties", {})
        return [f"{place}: there is no key {key!r}; {nearest(key, known)}" for key in sorted(set(value) - set(known))]
    if error.validator == "required":
        return [f"{place}: the key {key!r} is missing; add it." for key in wanted if key not in value]
    if error.validator == "enum":
        return [f"{place}: {found(value)} is not among its values; {nearest(value, wanted)}"]
    if error.validator == "type":
        expected = " or ".join(EXPECTED[kind] for kind in as_list(wanted))
        hint = _hint(value, as_list(wanted))
        return [f"{place}: expected {expected}, found {told}{hint}. {about or ''}".rstrip()]
    if error.validator == "uniqueItems":
        twice = next(item for i, item in enumerate(value) if item in value[:i])
        return [f"{place}: {found(twice)} stands twice; keep one."]
    if error.validator in LIMITS:
        finding = f"expected {LIMITS[error.validator].format(wanted)}, found {found(value)}."
    else:
        finding = f"{told} does not fit."
    return [f"{place}: {finding} {about or ''}".rstrip()]


def found(value):
    """A value as a sentence names it; a long text only by its length."""
    if isinstance(value, str):
        return repr(value) if len(value) <= SHOWN else f"a text of {len(value)} characters"
    if value is None or isinstance(value, bool):
        return {None: "nothing", True: "true", False: "false"}[value]
    if isinstance(value, (list, dict)):
        kind = "list" if isinstance(value, list) else "mapping"
        return f"a {kind} of {len(value)}" if value else f"an empty {kind}"
    return str(value)


def _hint(value, wanted):
    if isinstance(value, str) and {"number", "integer"} & set(wanted) and _finite(value):
        return "; write it without quotes, and 1.0e-5 for 1e-5"
    if "string" in wanted and not isinstance(value, (list, dict, type(None))):
        return "; put it in quotes (YAML reads yes, no, on and off as true and false)"
    return ""
