"""Sizes that only shrink: lines of functions and files, parameters, public names of a namespace.

What is larger stands here by name, with its size. A smaller number is to be written down; a larger one fails.
"""

import ast
import importlib
from pathlib import Path

import pytest

import tacit

PACKAGE = Path(tacit.__file__).parent
FUNCTION_LINES, PARAMETERS, FILE_LINES, NAMES = 60, 8, 300, 25

FILES = {
    "data/cache.py": 305,
    "data/formats/_lerobot_write.py": 320,
    "models/action_conditioned.py": 323,
    "reports/figures.py": 303,
}
FUNCTIONS = {
    "published/conversion.convert": 83,
    "embeddings/embedding.embed": 73,
    "training/train.train": 78,
}
MANY_PARAMETERS = {
    "cli/embed.embed": 10,
    "cli/eval.eval_": 9,
    "cli/probe.probe": 11,
    "cli/stress.stress": 10,
    "cli/train.train": 9,
    "collection/__init__.collect": 10,
    "evaluation/closed_loop.closed_loop": 9,
    "evaluation/episode_scores.score_episodes": 9,
    "nn/block_causal.BlockCausalPredictor.__init__": 12,
    "nn/masked_predictor.MaskedPredictor.__init__": 11,
    "nn/vit.VisionTransformer.__init__": 10,
    "stress/_stressing.stress_test": 11,
    "training/train.train": 11,
}
NAMESPACES = {
    "nn": 45,
    "recipes": 26,
    "reports": 26,
    "stress": 37,
    "types": 58,
}


def files():
    return sorted(PACKAGE.rglob("*.py"))


def functions(path):
    """Yield the qualified name and the node of each function of a file."""

    def inside(node, prefix):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{prefix}.{child.name}", child
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                yield from inside(child, f"{prefix}.{child.name}")

    yield from inside(ast.parse(path.read_text()), str(path.relative_to(PACKAGE)).removesuffix(".py"))


def parameters(node):
    """Count the parameters of a function, without self and cls."""
    given = node.args
    names = [one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return len([name for name in names if name not in ("self", "cls")])


def compare(found, known, limit):
    """Hold sizes above a limit against those that are written down."""
    above = {name: size for name, size in found.items() if size > limit}
    grown = {name: size for name, size in above.items() if size > known.get(name, limit)}
    assert not grown, f"larger than {limit}, and than what stands here: {grown}"
    shrunk = {name: above.get(name, 0) for name, size in known.items() if above.get(name, 0) < size}
    assert not shrunk, f"smaller than what stands here, so write it down or take it out: {shrunk}"


def test_files_are_short():
    compare({str(path.relative_to(PACKAGE)): len(path.read_text().splitlines()) for path in files()}, FILES, FILE_LINES)


def test_functions_are_short():
    found = {name: node.end_lineno - node.lineno + 1 for path in files() for name, node in functions(path)}
    compare(found, FUNCTIONS, FUNCTION_LINES)


def test_functions_take_few_parameters():
    found = {name: parameters(node) for path in files() for name, node in functions(path)}
    compare(found, MANY_PARAMETERS, PARAMETERS)


def test_a_namespace_shows_few_names():
    packages = sorted({path.parent for path in files() if path.name == "__init__.py"} - {PACKAGE})
    found = {}
    for package in packages:
        name = ".".join(package.relative_to(PACKAGE).parts)
        if not any(part.startswith("_") for part in package.relative_to(PACKAGE).parts):
            found[name] = len(getattr(importlib.import_module(f"tacit.{name}"), "__all__", ()))
    compare(found, NAMESPACES, NAMES)


@pytest.mark.parametrize("grown", [True, False])
def test_a_size_may_neither_grow_nor_shrink_in_silence(grown):
    with pytest.raises(AssertionError, match="larger" if grown else "smaller"):
        compare({"x": 12 if grown else 10}, {"x": 11}, 5)
