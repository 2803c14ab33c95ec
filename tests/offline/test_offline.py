"""Offline evaluation in a world whose dynamics are known: x' = 0.9 x + tanh(3 a), with an action that does nothing."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

import tacit as tc
from tacit.errors import ConfigError, DataError
from tacit.offline import compare_plans, evaluate, learning_curve, surprising_moments

SPEC = tc.Spec({"state": tc.Modality("vector", (2,))}, tc.Box((-1.0,) * 2, (1.0,) * 2), fps=10.0)


def recorded(count: int = 40, steps: int = 30, seed: int = 0, glitch: tuple[int, int] | None = None):
    episodes = []
    for number in range(count):
        rng = np.random.default_rng((seed, number))
        action = rng.uniform(-1, 1, (steps, 2)).astype(np.float32)
        state = np.zeros((steps + 1, 2), np.float32)
        state[0] = rng.normal(size=2)
        for step in range(steps):
            state[step + 1] = 0.9 * state[step] + np.tanh(3 * action[step, :1])
        if glitch and number == glitch[0]:
            state = state.copy()
            state[glitch[1], 1] += 5.0
        episodes.append(tc.Episode({"state": state}, action, index=number, seed=number))
    return tc.data.from_episodes(episodes, SPEC)


class Known(nn.Module):
    """The true dynamics as a world model, whose latents are the states."""

    history = 1
    device = torch.device("cpu")
    frameskip = 1

    def __init__(self, gain: float = 3.0) -> None:
        super().__init__()
        self.gain, self.config = gain, SimpleNamespace(frameskip=1, inputs=("state",))
        self.weight = nn.Parameter(torch.zeros(1))

    def encode(self, observation, tokens=False):
        return observation["state"].float()

    encode_target = encode

    def rollout(self, context, blocks):
        state, found = context.latents[:, -1], []
        for step in range(blocks.shape[1]):
            state = 0.9 * state + torch.tanh(self.gain * blocks[:, step, :1])
            found.append(state)
        return torch.stack(found, dim=1)


@pytest.fixture(scope="module")
def parts():
    return recorded().split(0.75, seed=0)


def test_the_true_model_wins_at_every_step(parts):
    found = evaluate(Known(), fit_on=parts[0], held_out=parts[1], horizon=5)
    assert [one.name for one in found.quantities] == ["state[0]", "state[1]"]
    for one in (*found.quantities, found.latents):
        assert one.wins == 5 and one.skill > 0.999
        assert one.error().max() < 1e-3 < one.error("linear").min() < one.error("persistence").min()
    assert found.score > 0.999 and found.step_seconds == pytest.approx(0.1)
    assert "5 of 5 steps (0.5 s)" in str(found)


def test_errors_of_the_baselines_are_those_of_the_data(parts):
    found = evaluate(Known(), fit_on=parts[0], held_out=parts[1], horizon=3, windows=10_000)
    states = np.stack([one.observation["state"] for one in parts[1]]).astype(np.float64)
    for step in (1, 2, 3):
        change = states[:, 1 + step : states.shape[1] - 3 + step] - states[:, 1:-3]
        assert found.quantities[0].error("persistence")[step - 1] == pytest.approx(
            np.sqrt(np.square(change[..., 0]).mean()), rel=1e-6
        )


def test_the_linear_baseline_is_exact_where_the_world_is_linear():
    class Linear(Known):
        def rollout(self, context, blocks):
            return torch.zeros(len(blocks), blocks.shape[1], 2)

    episodes = []
    for number in range(20):
        rng = np.random.default_rng(number)
        action = rng.uniform(-1, 1, (20, 2)).astype(np.float32)
        state = np.zeros((21, 2), np.float32)
        for step in range(20):
            state[step + 1] = 0.8 * state[step] + action[step]
        episodes.append(tc.Episode({"state": state}, action, index=number))
    fit, held = tc.data.from_episodes(episodes, SPEC).split(0.75, seed=0)
    found = evaluate(Linear(), fit_on=fit, held_out=held, horizon=4)
    assert all(one.error("linear").max() < 1e-3 and one.wins == 0 for one in found.quantities)


def test_the_effect_of_actions_is_that_of_the_model(parts):
    found = evaluate(Known(), fit_on=parts[0], held_out=parts[1], horizon=4)
    assert found.component_effect["action[1]"] == 0
    assert found.component_effect["action[0]"] == pytest.approx(found.action_effect[-1])
    assert found.action_effect[-1] > 0.5
    deaf = evaluate(Known(gain=0.0), fit_on=parts[0], held_out=parts[1], horizon=4)
    assert deaf.action_effect.max() == 0 and deaf.score < found.score - 0.2
    np.testing.assert_allclose(deaf.latents.error(), deaf.latents.error("shuffled actions"))


def test_a_glitch_is_found_and_its_sensor_named():
    episodes = recorded(glitch=(7, 15))
    worst = surprising_moments(Known(), episodes, count=3)[0]
    assert (worst.episode, worst.step) in {(7, 15), (7, 16)}
    name, share = next(iter(worst.sensors.items()))
    if worst.step == 15:
        assert name == "state[1]" and share > 0.8
    assert worst.energy > 20 and len({one.episode for one in surprising_moments(Known(), episodes, count=3)}) == 3


def test_plans_that_are_the_recording_agree_with_it(parts):
    state = np.stack([one.observation["state"] for one in parts[1]])
    action = np.stack([one.action for one in parts[1]])

    class Replays:
        """An agent that knows what was recorded after each state."""

        model = Known()
        config = SimpleNamespace(horizon=5)

        def start(self, *, seed, batch, goal):
            assert len(seed) == batch == len(goal["state"])

        def act(self, _state, observation):
            found = []
            for one in observation["state"]:
                episode, step = np.argwhere((state == one).all(axis=-1))[0]
                found.append(action[episode, step])
            return np.stack(found), None, None

    found = compare_plans(Replays(), parts[1], windows=40)
    assert found.planned.mean == 0 and found.chance.mean > 0.8 and found.steps == 5
    np.testing.assert_allclose(found.correlation, 1.0)


def test_the_curve_trains_on_nested_shares(parts, tmp_path):
    seen = []

    class Recipe:
        def build_model(self, _spec, _seed):
            return Known()

        def train(self, _model, episodes, *, seed, to):
            seen.append((set(episodes.digests()), to.name, seed))

    points = learning_curve(Recipe(), *parts, shares=(0.3, 0.5, 1.0), seed=2, to=tmp_path, horizon=2)
    assert [one.episodes for one in points] == [9, 15, 30]
    assert seen[0][0] < seen[1][0] < seen[2][0] and [one[1:] for one in seen] == [("30", 2), ("50", 2), ("100", 2)]
    with pytest.raises(ConfigError, match="ascend"):
        learning_curve(Recipe(), *parts, shares=(0.5, 0.25), to=tmp_path)


def test_bad_input_is_refused(parts):
    with pytest.raises(ConfigError, match="Did you mean 'state'"):
        evaluate(Known(), fit_on=parts[0], held_out=parts[1], targets=["stat"])
    with pytest.raises(DataError, match="also fitted on"):
        evaluate(Known(), fit_on=parts[0], held_out=parts[0])
    with pytest.raises(ConfigError, match="horizon >= 1"):
        evaluate(Known(), fit_on=parts[0], held_out=parts[1], horizon=0)
    with pytest.raises(DataError, match="clips of"):
        evaluate(Known(), fit_on=parts[0], held_out=parts[1], horizon=60)
