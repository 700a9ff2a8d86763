"""The table of all verbs, which are found among the modules of this package.

A verb is taken out by deleting its module.
"""

import pkgutil
from importlib import import_module

from postgrad import verbs
from postgrad.graph import options
from postgrad.graph.protocol import Verb, Verbs


def all_records() -> list[Verb]:
    """Return the records of the modules in this package.

    A module without a record serves several verbs.
    """
    names = [
        module.name for module in pkgutil.iter_modules(verbs.__path__) if module.name != "registry"
    ]
    modules = [import_module(f"{verbs.__name__}.{name}") for name in names]
    return [module.RECORD for module in modules if hasattr(module, "RECORD")]


VERBS = Verbs(all_records(), options.verb_names())
