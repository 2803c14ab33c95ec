"""The choice of options from recordings whose properties are known."""

import numpy as np
import pytest

import tacit as tc
from tacit.recipes._survey import survey
from tacit.types import Box, Discrete, Modality, Spec

BOX = Box((-1.0,) * 2, (1.0,) * 2)


def walks(pace: float, *, momentum: float = 0.0, wall: bool = False, count: int = 24, steps: int = 120, seed: int = 0):
    """Record a point that random actions move, as a vector; ``wall`` adds a number that each episode draws."""
    rng = np.random.default_rng(seed)
    episodes = []
    for index in range(count):
        action = rng.uniform(-1, 1, (steps, 2)).astype(np.float32)
        state, speed = np.zeros((steps + 1, 3), np.float32), np.zeros(2)
        state[0] = [*rng.uniform(-1, 1, 2), rng.uniform(-1, 1) if wall else 0.0]
        for step in range(steps):
            speed = momentum * speed + pace * action[step]
            moved = state[step, :2] + speed
            speed, state[step + 1] = np.where(np.abs(moved) > 1, 0.0, speed), [*np.clip(moved, -1, 1), state[0, 2]]
        episodes.append(tc.Episode({"state": state}, action, index=index))
    return tc.data.from_episodes(episodes, Spec({"state": Modality("vector", (3,))}, BOX))


def test_slow_worlds_get_long_blocks():
    slow, fast = (survey(walks(pace)).steps_to(0.5) for pace in (0.1, 1.5))
    assert fast <= 2 < 5 < slow
    chosen = tc.recipes.suited(walks(0.1))
    assert chosen.recipe.model["frameskip"] == 5 and chosen.reasons["model.frameskip"].startswith("5: ")


def test_short_episodes_get_short_blocks():
    assert tc.recipes.suited(walks(0.1, steps=40)).recipe.model["frameskip"] == 2


def test_a_velocity_is_noticed_where_it_is_not_observed():
    assert survey(walks(0.05)).velocity < 0.05 < 0.3 < survey(walks(0.02, momentum=0.9)).velocity
    assert tc.recipes.suited(walks(0.004, momentum=0.98)).recipe.model["predictor"]["history"] == 2
    assert "predictor" not in tc.recipes.suited(walks(0.1)).recipe.model


def test_what_differs_between_episodes_changes_the_objective():
    same, different = walks(0.1), walks(0.1, wall=True)
    assert survey(same).fixed == 0 and survey(different).fixed == pytest.approx(1 / 3)
    plain, split = (tc.recipes.suited(one) for one in (same, different))
    assert "sigreg" not in {part.name for part in plain.recipe.objective}
    assert {part.name for part in split.recipe.objective} >= {"sigreg", "inverse_dynamics"}
    assert split.recipe.clip > plain.recipe.clip and "stands still" in split.reasons["objective"]


def test_walls_of_images_are_noticed_and_discs_are_not():
    rooms = (
        tc.collect(f"two_rooms:{words}size=32", episodes=16, steps=40, progress=False)
        for words in ("layout=random,", "")
    )
    random, same = (survey(one).fixed for one in rooms)
    assert random > 0.2 and same == 0


def test_every_option_that_is_chosen_has_a_reason():
    chosen = tc.recipes.suited(walks(0.1, wall=True))
    assert set(chosen.reasons) == {
        "model.frameskip", "objective", "clip", "model.predictor", "size", "acting.horizon", "acting.planner",
    }  # fmt: skip
    assert f"{chosen.recipe.acting.horizon} blocks" in chosen.reasons["acting.horizon"]


def test_actions_of_every_kind_get_a_planner_that_searches_them():
    rng = np.random.default_rng(0)
    episodes = [
        tc.Episode(
            {"state": rng.normal(size=(21, 2)).astype(np.float32)},
            np.eye(3, dtype=np.float32)[rng.integers(3, size=20)],
        )
        for _ in range(8)
    ]
    spec = Spec({"state": Modality("vector", (2,))}, Discrete(3))
    recipe = tc.recipes.suited(tc.data.from_episodes(episodes, spec)).recipe
    assert recipe.acting.planner.name == "cem"
    recipe.check(recipe.build_model(spec, 0))


def test_logs_that_hold_series_alone_are_surveyed():
    rng = np.random.default_rng(0)
    spec = Spec({"signal": Modality("series", (2,), rate=5.0)}, BOX, fps=5.0)
    action = rng.uniform(-1, 1, (8, 60, 2)).astype(np.float32)
    signal = np.concatenate([np.zeros((8, 1, 2)), np.cumsum(0.1 * action, axis=1)], axis=1).astype(np.float32)
    episodes = [tc.Episode({"signal": one}, moved) for one, moved in zip(signal, action, strict=True)]
    found = survey(tc.data.from_episodes(episodes, spec))
    assert found.steps_to(0.5) > 2 and found.length == 61
