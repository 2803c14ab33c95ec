"""Registry by directory: one file per extension, found without importing it.

A package of extensions holds, in its ``__init__``::

    __getattr__, __dir__, __all__, load, names = registry(__name__)

Each public module of the package then exports the names of its ``__all__`` lazily, and ``load("cem")``
imports ``cem.py`` and returns the export with the name of the file. Other packages add extensions through an entry
point in the group of that name, for example ``tacit.planners``.
"""

from __future__ import annotations

import ast
import difflib
import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib.metadata import entry_points
from itertools import islice
from types import ModuleType
from typing import Any

from tacit.errors import ConfigError

__all__ = ["exports", "lazy", "listed", "name_of", "registry", "suggest"]


LONGEST, MOST = 200, 1000
"""Largest numbers of characters of a name, and of names, that are compared."""


def suggest(name: str, known: Iterable[str]) -> str:
    """Return ``" Did you mean 'cem'?"`` where one of ``known`` is close to ``name``, else an empty string."""
    if len(name) > LONGEST:
        return ""
    close = difflib.get_close_matches(name, list(islice(known, MOST)), n=1, cutoff=0.5)
    return f" Did you mean {close[0]!r}?" if close else ""


def listed(package: str) -> tuple[str, ...]:
    """Return the names of the extensions of a package, without importing it."""
    spec = importlib.util.find_spec(package)
    found = pkgutil.iter_modules(spec.submodule_search_locations if spec else None)
    names = {module.name for module in found if not (module.ispkg or module.name.startswith("_"))}
    return tuple(sorted({*names, *(entry.name for entry in entry_points(group=package))}))


@cache
def exports(module: str) -> tuple[str, ...]:
    """Return the ``__all__`` of a module, read from its source without running it."""
    spec = importlib.util.find_spec(module)
    source = spec.loader.get_source(module) if spec and spec.loader else None  # type: ignore[attr-defined]
    for node in ast.parse(source or "").body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
            return tuple(ast.literal_eval(node.value))
    return ()


class _Package(ModuleType):
    """Package whose functions keep their names when files of these names are imported, as in ``probe.probe``."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (isinstance(value, ModuleType) and name in vars(value).get("__all__", ())):
            super().__setattr__(name, value)


def lazy(
    package: str, attributes: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Return ``__getattr__``, ``__dir__`` and ``__all__`` of a package that imports each name on first use.

    Args:
        package: The package's ``__name__``.
        attributes: Public name to the module that defines it; a module may export itself.
    """

    def get(name: str) -> Any:
        if name not in attributes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}.{suggest(name, attributes)}")
        module = importlib.import_module(attributes[name])
        exported = name in vars(module).get("__all__", ())
        return vars(module)[name] if exported or attributes[name] != f"{package}.{name}" else module

    sys.modules[package].__class__ = _Package
    return get, lambda: sorted(attributes), sorted(attributes)


def name_of(package: str, kind: type) -> str | None:
    """Return the name under which the registry of a package has a class; None if it has none."""
    home, _, module = kind.__module__.rpartition(".")
    if home == package and not module.startswith("_"):
        return module
    entries = (entry for entry in entry_points(group=package) if entry.attr == kind.__qualname__)
    return next((entry.name for entry in entries if entry.load() is kind), None)


def _named_like(module: str, public: tuple[str, ...]) -> str:
    """Return the main export of a file: ``TwoRooms`` of two_rooms, ``GymnasiumEnvironment`` of gymnasium."""
    word = module.replace("_", "")
    close = sorted((name for name in public if name.lower().startswith(word)), key=len)
    return close[0] if close else public[0]


def registry(
    package: str,
    also: Iterable[str] = (),
) -> tuple[
    Callable[[str], Any], Callable[[], list[str]], list[str], Callable[[str], Any], Callable[[], tuple[str, ...]]
]:
    """Return ``__getattr__``, ``__dir__``, ``__all__``, ``load`` and ``names`` of a package of extensions.

    Args:
        package: The package's ``__name__``.
        also: Private modules whose ``__all__`` is also public, such as the base class of extensions.
    """
    paths = importlib.import_module(package).__path__
    public_modules = [module for module in pkgutil.iter_modules(paths) if not module.name.startswith("_")]
    modules = tuple(module.name for module in public_modules if not module.ispkg)
    files = [f"{package}.{module}" for module in (*modules, *also)]
    attributes = {name: file for file in files for name in exports(file)}
    attributes |= {module.name: f"{package}.{module.name}" for module in public_modules if module.ispkg}

    def names() -> tuple[str, ...]:
        """Return the names that ``load`` accepts, including installed extensions."""
        return tuple(sorted({*modules, *(e.name for e in entry_points(group=package))}))

    def load(name: str) -> Any:
        """Return the extension named ``name``.

        Raises:
            ConfigError: if there is none, with the nearest name.
        """
        if name in modules:
            module = importlib.import_module(f"{package}.{name}")
            return vars(module)[_named_like(name, exports(module.__name__))]
        for entry in entry_points(group=package):
            if entry.name == name:
                return entry.load()
        kind = package.rpartition(".")[2]
        raise ConfigError(f"no {kind} called {name!r}.{suggest(name, names())} There are: {', '.join(names())}.")

    get, directory, public = lazy(package, attributes)
    return get, directory, [*public, "load", "names"], load, names
