"""Columns of a log as actions: which interval they are of, their bounds, and a model that learns from them."""

from pathlib import Path

import numpy as np
import pytest

import tacit as tc
from tacit.errors import ConfigError, DataError

BOUNDS = {"low": 0.0, "high": 1.0}


def plant(path: Path, seed: int, rows: int = 120, hold: int = 1, seconds: float = 1.0) -> Path:
    """A tank that a valve heats; the valve of a row acts until the next row."""
    rng = np.random.default_rng(seed)
    valve = np.repeat(rng.uniform(0, 1, rows // hold + 1), hold)[:rows]
    temperature = np.zeros(rows + 1)
    for row in range(rows):
        temperature[row + 1] = 0.9 * temperature[row] + valve[row]
    lines = [f"{row * seconds:g},{valve[row]:.6f},{temperature[row]:.6f},{row // 10}" for row in range(rows)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["time,valve,temperature,batch", *lines]))
    return path


def test_an_action_takes_its_observation_to_the_next(tmp_path):
    path = plant(tmp_path / "a.csv", 0)
    episodes = tc.data.open(path, actions=("valve",), labels=("batch",), **BOUNDS)
    assert episodes.spec == tc.Spec({"signal": tc.Modality("series", (1,), 1.0)}, tc.Box((0.0,), (1.0,)), fps=1.0)
    (episode,) = episodes
    temperature = episode.observation["signal"][:, 0]
    np.testing.assert_allclose(0.9 * temperature[:-1] + episode.action[:, 0], temperature[1:], atol=1e-4)
    assert episode.action.shape == (119, 1) and episode.action.dtype == np.float32
    table = np.loadtxt(path, delimiter=",", skiprows=1)
    np.testing.assert_allclose(episode.final_action, table[-1:, 1], rtol=1e-6)
    assert tc.data.check(path, actions=("valve",), labels=("batch",), **BOUNDS) == []
    clip = episodes.clips(3).batch(0, 0, 16)
    now, then = clip.observation["signal"][:, :-1, -1, 0], clip.observation["signal"][:, 1:, -1, 0]
    np.testing.assert_allclose(0.9 * now + clip.action[..., 0], then, atol=1e-4)


def test_bounds_are_those_of_the_data_with_a_warning_or_given(tmp_path):
    tables = [np.loadtxt(plant(tmp_path / f"{n}.csv", n), delimiter=",", skiprows=1) for n in range(2)]
    valve = np.concatenate([table[:, 1] for table in tables]).astype(np.float32)
    with pytest.warns(
        UserWarning, match=r"bounds of the actions in .* are the least and the greatest recorded: valve 0"
    ):
        episodes = tc.data.open(tmp_path, actions=("valve",))
    assert episodes.spec.action == tc.Box((float(valve.min()),), (float(valve.max()),))
    assert tc.data.open(tmp_path, actions=("valve",), low=(-1.0,), high=2).spec.action == tc.Box((-1.0,), (2.0,))
    with pytest.raises(
        DataError, match=r"0.csv, field 'valve': expected actions within high=0.5; line \d+, row .* holds 0"
    ):
        tc.data.open(tmp_path, actions=("valve",), low=0, high=0.5)
    with pytest.raises(DataError, match=r"expected actions within low=0.5; line \d+"):
        tc.data.open(tmp_path, actions=("valve",), low=0.5, high=1)


def test_an_action_that_never_changes_needs_bounds(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["time,u,x", *(f"{i},0.5,{i}" for i in range(9))]))
    with pytest.raises(
        DataError, match=r"the action 'u' .* has no range: low 0.5, high 0.5.*low=.*or leave it out of actions"
    ):
        tc.data.open(path, actions=("u",))
    assert tc.data.open(path, actions=("u",), **BOUNDS).lengths.tolist() == [9]


def test_several_samples_between_observations_need_a_rule(tmp_path):
    held = plant(tmp_path / "held.csv", 0, hold=4)
    changing = plant(tmp_path / "changing.csv", 0)
    options = {"actions": ("valve",), "columns": ("temperature",), "fps": 0.25, **BOUNDS}
    table = np.loadtxt(held, delimiter=",", skiprows=1)
    episode = tc.data.open(held, **options)[0]
    np.testing.assert_allclose(episode.action[:, 0], table[::4, 1][:29], rtol=1e-6)
    assert episode.final_action is None and len(episode.observation["signal"]) == 120
    refused = tc.data.open(changing, **options)
    with pytest.raises(
        DataError, match=r"field 'valve': line 3, row 1 \(from 0\) changes the action between .*between='mean'"
    ):
        refused[0]
    table = np.loadtxt(changing, delimiter=",", skiprows=1)
    mean = tc.data.open(changing, between="mean", **options)[0].action[:, 0]
    np.testing.assert_allclose(mean, table[:116, 1].reshape(29, 4).mean(1), rtol=1e-5)
    last = tc.data.open(changing, between="last", **options)[0].action[:, 0]
    np.testing.assert_allclose(last, table[3:116:4, 1], rtol=1e-6)
    uneven = tc.data.open(changing, between="last", **{**options, "fps": 0.4})[0]
    rows = np.floor(np.arange(48) * 2.5 + 1e-9).astype(int)
    np.testing.assert_allclose(uneven.action[:, 0], table[rows[1:] - 1, 1], rtol=1e-6)


def test_actions_are_held_over_gaps_and_split_with_the_signal(tmp_path):
    path = tmp_path / "a.csv"
    rows = [f"{i},{'' if i in (4, 20) else i / 100},{'' if i == 12 else i}" for i in range(40) if i not in (30, 31)]
    path.write_text("\n".join(["time,u,x", *rows]))
    with pytest.warns(UserWarning, match=r"x 3, u 4 \(gaps='interpolate'"):
        (episode,) = tc.data.open(path, actions=("u",), gaps="interpolate", **BOUNDS)
    np.testing.assert_allclose(
        episode.action[[3, 4, 5, 30, 31, 32], 0], [0.03, 0.03, 0.05, 0.29, 0.29, 0.32], rtol=1e-6
    )
    np.testing.assert_allclose(episode.observation["signal"][:, 0], np.arange(40), atol=1e-4)
    with pytest.warns(UserWarning, match="left out 3 of 38 rows"):
        episodes = tc.data.open(path, actions=("u",), gaps="split", **BOUNDS)
    assert episodes.lengths.tolist() == [4, 7, 7, 9, 8] and len(set(episodes.groups)) == 1


def test_an_episode_has_two_observations_where_there_are_actions(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["time,u,x", *(f"{i},{i / 100},{'' if i in (3, 5) else i}" for i in range(9))]))
    with pytest.warns(UserWarning, match="1 lie in stretches shorter"):
        assert tc.data.open(path, actions=("u",), gaps="split", **BOUNDS).lengths.tolist() == [3, 3]
    with pytest.raises(DataError, match="as long as two observations and the action between them"):
        tc.data.open(path, actions=("u",), gaps="split", fps=0.25, **BOUNDS)


def test_parquet_columns_are_actions_too(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = np.arange(20)
    pq.write_table(pa.table({"t": rows / 10, "u": rows / 20, "v": -rows / 20, "x": rows}), tmp_path / "a.parquet")
    options = {"low": (0.0, -1.0), "high": (1.0, 0.0)}
    (episode,) = tc.data.open(tmp_path, actions=("u", "v"), **options)
    np.testing.assert_allclose(episode.action, np.stack([rows, -rows], 1)[:-1] / 20, rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"actions": ("valv",)}, DataError, "there is no such column. Did you mean 'valve'"),
        ({"low": 0.0}, ConfigError, "low and high are bounds of actions"),
        ({"actions": ("valve",), "low": (0.0, 1.0)}, ConfigError, "low is a finite number for each of 1 actions"),
        ({"actions": ("valve",), "high": float("inf")}, ConfigError, "high is a finite number for each of 1 actions"),
        ({"actions": ("valve",), "between": "first"}, ConfigError, "between"),
    ],
)
def test_options_are_checked(tmp_path, options, error, message):
    plant(tmp_path / "a.csv", 0)
    with pytest.raises(error, match=message):
        tc.data.open(tmp_path, **options)


def test_a_world_model_learns_a_plant_from_its_log(tmp_path):
    for number in range(10):
        plant(tmp_path / f"logs/{number}.csv", number)
    options = {"actions": ("valve",), "columns": ("temperature",), **BOUNDS}
    tc.data.convert(tmp_path / "logs", tmp_path / "data", "lerobot", **options)
    train, held_out = tc.data.open(tmp_path / "data").split(0.8, seed=0)
    model = tc.models.WorldModel.for_spec(train.spec, latent=8)
    objective = tc.objectives.Prediction(steps=4) + tc.objectives.VICReg(over="pooled")
    tc.train(model, objective, train.clips(5), steps=200, seed=0, to=tmp_path / "run", batch_size=64)
    ahead = tc.evaluation.open_loop(model, held_out, horizon=4)
    assert ahead.error[-1].mean < 0.25 * ahead.copy_last[-1].mean
    assert ahead.error[-1].mean < 0.25 * ahead.shuffled_actions[-1].mean
