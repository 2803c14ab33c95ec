"""The package as people meet it: light to import, every public name there and typed."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import tacit

ROOT = Path(__file__).parents[1]
REGISTRIES = (
    "augmentation",
    "constraints",
    "costs",
    "envs",
    "guard",
    "masking",
    "models",
    "objectives",
    "planners",
    "probing.probes",
    "recipes",
    "stress",
)


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def test_import_is_light() -> None:
    assert run("import tacit, sys; print(*{'torch', 'pyarrow', 'av', 'matplotlib'} & set(sys.modules))") == ""


def test_import_adds_little_time() -> None:
    code = "import time, numpy; t = time.process_time(); import tacit; print(time.process_time() - t)"
    assert min(float(run(code)) for _ in range(3)) <= 0.3


@pytest.mark.parametrize("name", tacit.__all__)
def test_public_names_are_there(name: str) -> None:
    assert getattr(tacit, name) is getattr(tacit, name)


@pytest.mark.parametrize("room", ["embeddings", "evaluation", "probing", "probing.probes", "reports", "statistics"])
def test_a_namespace_has_every_name_that_it_shows(room: str) -> None:
    package = importlib.import_module(f"tacit.{room}")
    assert package.__all__
    for name in package.__all__:
        assert getattr(package, name) is getattr(package, name)


@pytest.mark.parametrize("kind", REGISTRIES)
def test_every_extension_loads_under_its_file_name(kind: str) -> None:
    package = importlib.import_module(f"tacit.{kind}")
    assert package.names()
    for name in package.names():
        found = package.load(name)
        assert found.__doc__
        assert found.__name__.lower().startswith(name.replace("_", ""))
    with pytest.raises(tacit.errors.ConfigError, match="Did you mean"):
        package.load(package.names()[0] + "x")


def test_a_function_wins_over_the_file_of_its_name(tmp_path: Path) -> None:
    package = tmp_path / "rooms"
    package.mkdir()
    lazy = 'lazy(__name__, {"walk": "rooms.walk", "doors": "rooms.doors"})'
    (package / "__init__.py").write_text(f"from tacit._registry import lazy\n__getattr__, __dir__, __all__ = {lazy}\n")
    (package / "walk.py").write_text('__all__ = ["walk"]\ndef walk(): return "walked"\n')
    (package / "doors.py").write_text("")
    code = "import rooms, rooms.walk, rooms.doors; print(rooms.walk(), rooms.doors.__name__)"
    assert run(f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {code}") == "walked rooms.doors"


def test_stubs_are_up_to_date() -> None:
    subprocess.run([sys.executable, "scripts/stubs.py", "--check"], check=True, cwd=ROOT)


def test_versions_agree() -> None:
    assert f'version = "{tacit.__version__}"' in (ROOT / "pyproject.toml").read_text()
