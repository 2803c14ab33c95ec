"""Shared functions of verbs: the agent of a run, devices, options."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tacit._config import named_value
from tacit._files import read_json, resolve
from tacit.errors import CheckpointError, ConfigError
from tacit.runs import RunRecord

if TYPE_CHECKING:
    from tacit.agent import NamedFallback
    from tacit.evaluation import ClosedLoop

__all__ = ["agent_of", "device", "options", "other_world", "reading", "show_success"]


def other_world(run: Path, env: str) -> str:
    """Return a warning if a run's data are not from the world ``env``, else "".

    Shapes alone cannot distinguish worlds. Options, such as another layout, do not make another world.
    """
    from tacit import envs
    from tacit.data.reading import collection_note

    try:
        noted = read_json(collection_note(resolve(RunRecord.load(run).data)))["env"]
    except (OSError, ValueError, KeyError, TypeError, CheckpointError):
        return ""  # the origin of the data is unknown
    if not isinstance(noted, str) or noted.partition(":")[0] not in envs.names() or _world(noted) == _world(env):
        return ""
    return (
        f"warning: {run} was trained on recordings of {_world(noted)}, and {_world(env)} is another world: what the "
        "scores of the agent there say little."
    )


def agent_of(run: Path, device: str, fallback: NamedFallback | None = None) -> Any:
    """Return the agent of a run for acting in a simulator.

    Args:
        run: The directory of a run, or of an agent.
        device: The device of its computation.
        fallback: ``noop`` or ``last_action`` in place of the saved one. None: the saved one, or
            ``last_action`` where that is not possible, with a message on stderr.

    Raises:
        CheckpointError: if the run has none, with advice.
        ConfigError: if the fallback is not possible.
    """
    from tacit import checkpoint, recipes
    from tacit.agent import Agent, possible_fallback

    if (run / "agent").exists() or (not (run / "run.json").exists() and checkpoint.exists(run)):
        agent = Agent.load(run, device, fallback=fallback)
        chosen = possible_fallback(agent.fallback, agent.model.spec)
        if chosen == agent.fallback:
            return agent
        print(
            "Where planning fails the last action is repeated, since the Spec does not say which action does nothing; "
            "--fallback noop takes zero for that.",
            file=sys.stderr,
        )
        return Agent.load(run, device, fallback="last_action")
    recipe = RunRecord.load(run).recipe
    if issubclass(recipes.load(recipe), recipes.AgentRecipe):
        raise CheckpointError(f"{run} has no agent yet: its training was interrupted. Repeat its command to continue.")
    raise CheckpointError(
        f"{run} is a run of {recipe}, which trains an encoder and has no agent. Train one on it: tacit train DATASET "
        f"--recipe two_rooms --set encoder={run} --to RUN"
    )


def _world(env: str) -> str:
    """Return the name of an environment without its options."""
    kind, _, words = env.partition(":")
    adapted = [word for word in words.split(",") if word and "=" not in word]
    return ":".join((kind, *adapted))


def options(words: tuple[str, ...]) -> dict[str, Any]:
    """Return options such as ``training.lr=3e-4`` by name; see :func:`tacit._config.named_value`."""
    return dict(map(named_value, words))


def reading(words: tuple[str, ...]) -> tuple[dict[str, Any], str]:
    """Return the options for opening a dataset, and the folder of its cache.

    Raises:
        ConfigError: for an option that is not one of reading.
    """
    found = options(words)
    if "path" in found:
        raise ConfigError("no reader has the option 'path'; give the path as the first word.")
    return found, str(found.pop("cache", ""))


def device(name: str) -> str:
    """Return the named device, or for ``auto`` CUDA where it is available, and tune the CPU.

    Raises:
        ConfigError: if torch has no such device.
    """
    import tacit

    tacit.tune_cpu()
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ConfigError(f"torch cannot use the device {name!r} here: {reason}") from error
    return name


def show_success(name: str, run: ClosedLoop) -> None:
    """Print the result line of an actor."""
    rate = run.success
    print(f"  {name:<10} {rate.rate:6.1%}  [{rate.low:.1%}, {rate.high:.1%}]  n = {rate.n}", flush=True)
