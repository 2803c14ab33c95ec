"""Environments; each file is one environment or one adapter."""

from inspect import signature

from tacit._check import require_goals
from tacit._config import named_value
from tacit._registry import registry, suggest
from tacit.errors import ConfigError
from tacit.types import Environment, GoalEnvironment

__getattr__, __dir__, __all__, load, names = registry(__name__, also=("_to_gymnasium", "_wrapper"))
__all__ = [*__all__, "make", "make_goal"]


def make(name: str, num_envs: int = 1) -> Environment:
    """Make the environment that one word describes, as on the command line.

    Args:
        name: A name of the registry, after a colon what an adapter adapts, and options, all separated by
            commas: ``two_rooms``, ``two_rooms:layout=random,size=96``, ``gymnasium:Pendulum-v1``,
            ``gymnasium:CartPole-v1,wrappers=["TimeAwareObservation"]``, ``dm_control:cartpole/swingup,pixels=64``.
        num_envs: Worlds in the batch.

    Raises:
        ConfigError: if there is no such environment or option, with the nearest name.
    """
    kind, _, words = name.partition(":")
    factory = load(kind)
    parts = _split(words)
    adapted = [word for word in parts if word and "=" not in word]
    options = dict(named_value(word) for word in parts if "=" in word)
    known = signature(factory).parameters
    for option in options:
        if option not in known:
            raise ConfigError(f"environment {kind!r} has no option {option!r}.{suggest(option, known)}")
    try:
        bound = signature(factory).bind(*adapted, num_envs=num_envs, **options)
    except TypeError as error:
        raise ConfigError(
            f"environment {name!r}: {error}. After the colon comes what an adapter adapts, as in "
            "gymnasium:Pendulum-v1, and options as NAME=VALUE; what needs objects is made in Python: tc.envs."
            f"{factory.__name__}(...)."
        ) from error
    environment: Environment = factory(*bound.args, **bound.kwargs)
    return environment


def _split(words: str) -> list[str]:
    """Split at commas outside of brackets."""
    parts, depth = [""], 0
    for letter in words:
        depth += (letter in "[{") - (letter in "]}")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def make_goal(name: str, num_envs: int = 1) -> GoalEnvironment:
    """Make an environment whose states can be drawn, set and compared; see :func:`make`.

    Raises:
        ConfigError: if the environment has no goals.
    """
    return require_goals(make(name, num_envs), name)
