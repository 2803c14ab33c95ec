"""Options that decide how much memory or time is taken have limits, and errors name option and limit."""

import pytest

from tacit import planners
from tacit._config import from_json, named_value
from tacit._limits import limited
from tacit.agent import Agent
from tacit.costs import Goal
from tacit.errors import ConfigError, SpecError, TacitError
from tacit.models import MaskedModel, WorldModel
from tacit.models.goal_policy import GoalPolicyConfig
from tacit.training import TrainingConfig
from tacit.types import Box, Discrete, Modality, Problem, Spec

SPEC = Spec({"state": Modality("vector", (3,))}, Box((-1.0,), (1.0,)))


def test_a_value_above_the_limit_is_refused_by_name() -> None:
    limited("Thing", 10, size=10)
    with pytest.raises(ConfigError, match="Thing takes size of at most 10; got 11"):
        limited("Thing", 10, size=11)
    with pytest.raises(ConfigError, match="size of at most 10"):
        limited("Thing", 10, size=10**5000)


@pytest.mark.parametrize("name", planners.names())
def test_planners_refuse_samples_and_rounds_without_end(name: str) -> None:
    samples = "starts" if name == "gradient" else "samples"
    for option in (samples, "iterations"):
        with pytest.raises(ConfigError, match=rf"{option} of at most \d+; got 10000000000"):
            planners.load(name)(**{option: 10**10})


@pytest.mark.parametrize("planner", [planners.CEM(10**6), planners.RandomShooting(10**6), planners.ICEM(10**6)])
def test_a_round_that_memory_does_not_hold_is_refused(planner: object) -> None:
    with pytest.raises(ConfigError, match=r"Lower the samples, the horizon or the batch"):
        planner(Problem(lambda actions: actions.sum((2, 3)), SPEC.action, 999, planners.WorldNoise.of(0, 2)))


def test_an_agent_refuses_a_horizon_without_end() -> None:
    with pytest.raises(ConfigError, match="horizon of at most"):
        Agent(WorldModel.for_spec(SPEC), planners.CEM(), Goal(), horizon=10**9)


@pytest.mark.parametrize(
    ("option", "value"), [("predictor.depth", 10**8), ("latent", 10**9), ("encoders.vector.features", -1)]
)
def test_a_model_refuses_sizes_that_cannot_be_built(option: str, value: int) -> None:
    *parents, name = option.split(".")
    options: dict[str, object] = {name: value}
    for parent in reversed(parents):
        options = {parent: options}
    with pytest.raises(ConfigError, match=rf"{name} of at "):
        WorldModel.for_spec(SPEC, **options)


def test_other_configurations_have_limits_too() -> None:
    with pytest.raises(ConfigError, match="depth of at most"):
        MaskedModel.for_spec(Spec({"pixels": Modality("pixels", (3, 64, 64))}), depth=10**8)
    with pytest.raises(ConfigError, match="width of at most"):
        GoalPolicyConfig(8, SPEC.action, width=10**9)
    with pytest.raises(ConfigError, match="batch_size is between 1 and"):
        TrainingConfig(batch_size=10**10)


def test_a_spec_has_limits() -> None:
    with pytest.raises(SpecError, match="at most 10000 components"):
        Box([0.0] * 10**6, [1.0] * 10**6)
    with pytest.raises(SpecError, match="at most 10000 components"):
        Discrete(10**6)
    with pytest.raises(SpecError, match=r"at most .* numbers"):
        Modality("pixels", (3, 10**5, 10**5))
    with pytest.raises(SpecError, match="fps"):
        Spec({"state": Modality("vector", (3,))}, fps=1e300)
    with pytest.raises(SpecError, match="samples a second"):
        Spec({"audio": Modality("series", (2,), rate=1e9)}, fps=1e-9)


def test_numbers_of_a_file_that_no_float_holds_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"lr must be a number that a float holds"):
        from_json(TrainingConfig, {"lr": 10**399})
    with pytest.raises(ConfigError, match="lists and mappings are written as JSON"):
        named_value("a=" + "[" * 10**5)


def test_messages_are_short_whatever_a_file_holds() -> None:
    with pytest.raises(ConfigError) as caught:
        from_json(TrainingConfig, {"lr": ["x" * 10**6] * 100})
    assert len(str(caught.value)) < 1000
    message = str(TacitError("begin " + "x" * 10**6 + " end"))
    assert len(message) < 5000 and message.startswith("begin") and message.endswith("end")
