"""Write the `.pyi` beside each lazy package, so that type checkers see its names: `uv run scripts/stubs.py [--check]`.

With --check nothing is written, and the exit code is 1 if a stub is out of date.
"""

import ast
import importlib
import sys
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "src" / "tacit"


def lazy_packages() -> list[Path]:
    """The `__init__.py` files that export lazily."""
    return [path for path in sorted(PACKAGE.rglob("__init__.py")) if "__getattr__, " in path.read_text()]


def stub(init: Path) -> str:
    """The text of the stub of one lazy package."""
    package = ".".join(("tacit", *init.parent.relative_to(PACKAGE).parts))
    module = importlib.import_module(package)
    attributes: dict[str, str] = module.__getattr__.__closure__[0].cell_contents
    tree = ast.parse(init.read_text())
    own = [node for node in tree.body if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")]
    needed = [node for node in tree.body if own and isinstance(node, ast.Import | ast.ImportFrom)]
    lines = [f'"""{ast.get_docstring(tree)}"""', "", *(ast.unparse(node) for node in needed)]
    if "load" in module.__all__ and not any("Any" in line for line in lines[2:]):
        lines += ["from typing import Any", ""]
    for name, source in sorted(attributes.items(), key=lambda item: (item[1], item[0])):
        own_module = source == f"{package}.{name}"
        whole = own_module and name not in vars(importlib.import_module(source)).get("__all__", ())
        lines.append(f"from {package} import {name} as {name}" if whole else f"from {source} import {name} as {name}")
    lines += ["", "__all__: list[str]", *(["__version__: str"] if package == "tacit" else [])]
    if "load" in module.__all__:
        lines += ["", "def load(name: str) -> Any: ...", "def names() -> tuple[str, ...]: ..."]
    for function in own:
        function.body = [ast.Expr(ast.Constant(...))]
        lines.append(ast.unparse(function).replace(":\n    ...", ": ..."))
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write or check every stub."""
    stale = []
    for init in lazy_packages():
        target, text = init.with_suffix(".pyi"), stub(init)
        if not target.exists() or target.read_text() != text:
            stale.append(str(target.relative_to(PACKAGE.parent)))
            if "--check" not in sys.argv:
                target.write_text(text)
    print("out of date:" if "--check" in sys.argv else "written:", ", ".join(stale) or "none")
    sys.exit(bool(stale) and "--check" in sys.argv)


if __name__ == "__main__":
    main()
