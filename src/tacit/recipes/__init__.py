"""Methods as plain values, from the model to the agent; each file is one method."""

from importlib.resources import as_file, files

from tacit._registry import registry, suggest
from tacit.agent import Agent
from tacit.errors import ConfigError

__getattr__, __dir__, __all__, load, names = registry(__name__, also=("_choice", "_recipe", "_run_training"))
__all__ = [*__all__, "pretrained"]


def pretrained(name: str, device: str = "cpu") -> Agent:
    """Return an agent that comes with Tacit.

    Args:
        name: ``two_rooms``: what ``tacit demo --seed 100`` made.
        device: Where it is to compute.

    Raises:
        ConfigError: if there is no such agent, with the nearest name.
    """
    shelf = files("tacit.recipes") / "_pretrained"
    known = sorted(entry.name for entry in shelf.iterdir())
    if name not in known:
        raise ConfigError(f"no pretrained agent called {name!r}.{suggest(name, known)} There are: {', '.join(known)}.")
    with as_file(shelf / name) as path:
        return Agent.load(path, device)
