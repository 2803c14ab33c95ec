"""The layering of the package: who may import whom."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "tacit"
CORE = {
    "types",
    "errors",
    "_arrays",
    "_check",
    "_config",
    "_conformal",
    "_files",
    "_foreign",
    "_html",
    "_install",
    "_limits",
    "_notebook",
    "_part",
    "_progress",
    "_ranges",
    "_registry",
    "_resize",
    "_resources",
    "_seeds",
    "_scales",
    "_states",
    "_threads",
    "_version_0_1",
    "_workers",
}
PARTS = {
    "data",
    "augmentation",
    "masking",
    "models",
    "objectives",
    "planners",
    "costs",
    "constraints",
    "memory",
    "guard",
    "envs",
    "diagnostics",
    "statistics",
}
ASSEMBLIES = [
    "checkpoint",
    "published",
    "agent",
    "audit",
    "collection",
    "training",
    "runs",
    "probing",
    "evaluation",
    "margins",
    "embeddings",
    "exploration",
    "identification",
    "offline",
    "recipes",
    "reports",
    "stress",
    "studies",
    "domains",
    "robot",
    "distribute",
    "serve",
    "studio",
    "cli",
]


def unit(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def allowed(name: str) -> set[str]:
    if name in CORE:
        return CORE
    if name == "nn":
        return CORE | {"nn"}
    if name in PARTS:
        return CORE | {"nn", name}
    if name in ASSEMBLIES:
        return CORE | {"nn"} | PARTS | set(ASSEMBLIES[: ASSEMBLIES.index(name) + 1])
    if name in ("testing", "__init__", "__main__"):
        return CORE | {"nn", "testing"} | PARTS | set(ASSEMBLIES)
    raise AssertionError(f"src/tacit/{name} stands in no layer; say in which one in tests/test_layers.py")


def imported(path: Path) -> set[str]:
    """Units of the package that a file imports, anywhere in it."""
    found = set()
    package = ["tacit", *path.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(filter(None, [base, node.module]))
            whole = module == "tacit"
            names = [f"tacit.{a.name}" for a in node.names if a.name != "__version__"] if whole else [module]
        found |= {name.split(".")[1] for name in names if name.startswith("tacit.")}
    return found


FILES = sorted(path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or path.name != "__init__.py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_stay_within_the_layer(path: Path) -> None:
    wrong = imported(path) - allowed(unit(path))
    assert not wrong, f"{path.relative_to(PACKAGE)} is in layer unit {unit(path)!r} and may not import {sorted(wrong)}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_the_library_is_silent(path: Path) -> None:
    if unit(path) == "cli":
        return
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    assert not [c for c in calls if isinstance(c.func, ast.Name) and c.func.id == "print"], "only the cli prints"


FORBIDDEN = {"pickle", "dill", "cloudpickle", "torchvision", "timm", "lightning", "transformers"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_pickle_and_no_heavy_frameworks(path: Path) -> None:
    tree = ast.parse(path.read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not {name.split(".")[0] for name in names} & FORBIDDEN
