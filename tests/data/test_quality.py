"""Each check of quality finds its planted fault at its place, and nothing in clean data."""

import inspect
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest

import tacit as tc
from tacit.data.quality import examine
from tacit.errors import ConfigError

STEPS = 120
SEEDS = range(6)


def rollout(seed, steps=STEPS, size=16):
    """A damped mass that a random force moves, in numbers and in images."""
    rng = np.random.default_rng(seed)
    action = rng.uniform(-1, 1, (steps - 1, 2)).astype(np.float32)
    position, velocity = rng.uniform(-1, 1, 2), np.zeros(2)
    state = np.zeros((steps, 4), np.float32)
    for step in range(steps):
        state[step] = [*position, *velocity]
        if step < steps - 1:
            velocity = 0.8 * velocity + 0.3 * action[step] - 0.05 * position
            position = position + velocity
    grid = np.arange(size)
    frames = np.zeros((steps, 1, size, size), np.uint8)
    for step in range(steps):
        x, y = size / 2 + 1.5 * state[step, :2]
        frames[step, 0] = 20 + 200 * np.exp(-((grid[:, None] - y) ** 2 + (grid - x) ** 2) / 8)
    return {"pixels": frames, "state": state}, action


SPEC = tc.Spec(
    {"pixels": tc.Modality("pixels", (1, 16, 16)), "state": tc.Modality("vector", (4,))},
    tc.Box((-1.0, -1.0), (1.0, 1.0), kind="force"),
    fps=20.0,
)


def clean(seed, count=8):
    return [rollout(1000 * seed + number) for number in range(count)]


def dataset(parts, spec=SPEC, labels=None):
    episodes = [
        tc.Episode(observation, action, labels={} if labels is None else labels(len(action) + 1))
        for observation, action in parts
    ]
    return tc.data.from_episodes(episodes, spec)


def found(parts, check, **options):
    return examine(dataset(parts, **options), [check])


def numbers_only(parts):
    return [({"state": observation["state"]}, action) for observation, action in parts]


NUMBERS = tc.Spec({"state": SPEC.modalities["state"]}, SPEC.action, fps=20.0)
PIXELS = tc.Spec({"pixels": SPEC.modalities["pixels"]}, SPEC.action, fps=20.0)


@pytest.mark.parametrize("seed", SEEDS)
def test_clean_data_give_no_finding(seed):
    parts = clean(seed)
    assert examine(dataset(parts)) == []
    assert examine(dataset(numbers_only(parts), NUMBERS)) == []
    assert examine(dataset([({"pixels": o["pixels"]}, a) for o, a in parts], PIXELS)) == []


@pytest.mark.parametrize(("env", "steps"), [("two_rooms", 60), ("reacher", 60)])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_collected_data_give_no_finding(tmp_path, env, steps, seed):
    tc.collect(env, episodes=20, steps=steps, seed=seed, to=tmp_path / "data")
    assert examine(tc.data.open(tmp_path / "data")) == []


@pytest.mark.parametrize("seed", [0, 1])
def test_a_pendulum_gives_no_finding(tmp_path, seed):
    pytest.importorskip("gymnasium")
    pytest.importorskip("pygame")
    tc.collect("gymnasium:Pendulum-v1", episodes=10, steps=100, seed=seed, to=tmp_path / "data")
    assert [str(finding) for finding in examine(tc.data.open(tmp_path / "data"))] == []


def test_every_check_has_a_planted_fault_here():
    text = inspect.getsource(sys.modules[__name__])
    missing = [name for name in tc.data.quality.names() if f'"{name}"' not in text]
    assert not missing, f"no test names the checks {missing}"


@pytest.mark.parametrize("seed", SEEDS)
def test_a_camera_that_hangs_is_found_with_its_steps(seed):
    parts = clean(seed)
    first = 20 + 3 * seed
    parts[2][0]["pixels"][first : first + 15] = parts[2][0]["pixels"][first]
    (finding,) = found(parts, "frozen")
    assert (finding.episode, finding.field, finding.steps) == (2, "pixels", (first, first + 14))
    assert finding.severity == "warning" and finding.check == "frozen" and finding.advice
    text = f"warning: episode 2, field 'pixels', steps {first} to {first + 14}: 15 equal frames"
    assert text in str(finding).replace(f"{finding.file}, ", "")


@pytest.mark.parametrize("seed", SEEDS)
def test_a_sensor_that_hangs_is_found_and_one_at_its_limit_is_not(seed):
    parts = clean(seed)
    state = parts[3][0]["state"]
    place = 30 + int(np.argmin(np.abs(state[30:60, 2])))  # not at a limit of the episode
    state[place : place + 40, 2] = state[place, 2]
    (finding,) = found(parts, "frozen")
    assert (finding.episode, finding.field, finding.steps) == (3, "state", (place, place + 39))
    assert "component 2 has one value for 40 samples" in finding.problem
    state[place : place + 40, 2] = state[:, 2].max() + 1
    assert found(parts, "frozen") == []


@pytest.mark.parametrize("every", [2, 3, 5])
@pytest.mark.parametrize("field", ["pixels", "state"])
def test_repeated_observations_are_found_with_their_rate(every, field):
    """Every n-th observation repeats the one before: 24 frames a second in a video of 30, for example."""
    parts = clean(0)
    values = parts[1][0][field]
    values[1::every] = values[: len(values[1::every]) * every : every]
    (finding,) = found(parts, "duplicated")
    assert (finding.episode, finding.field) == (1, field)
    share = -(-(STEPS - 1) // every) / (STEPS - 1)
    assert f"about {20 * (1 - share):g} times a second, not 20" in finding.advice
    assert f"in a pattern of {every} steps" in finding.problem


@pytest.mark.parametrize("hold", [3, 4])
def test_a_sensor_of_a_third_of_the_rate_is_found(hold):
    parts = clean(0)
    frames = parts[1][0]["pixels"]
    frames[:] = np.repeat(frames[::hold], hold, axis=0)[:STEPS]
    assert [finding.episode for finding in found(parts, "duplicated")] == [1]


@pytest.mark.parametrize(("level", "word"), [(0, "black"), (200, "empty")])
def test_black_and_empty_frames_are_found(level, word):
    parts = clean(0)
    parts[4][0]["pixels"][50:53] = level
    (finding,) = found(parts, "blank")
    assert (finding.episode, finding.steps) == (4, (50, 52)) and f"3 {word} frames" in finding.problem


@pytest.mark.parametrize("seed", SEEDS)
def test_idle_heads_and_tails_are_found(seed):
    parts = clean(seed)
    observation, action = parts[5]
    for values in observation.values():
        values[:15], values[100:] = values[15], values[100]
    action[:15], action[100:] = 0, 0
    head, tail = found(parts, "idle")
    assert (head.episode, head.steps, tail.steps) == (5, (0, 15), (100, STEPS - 1))
    action[:15] = 0.5  # it pushes a wall
    assert [finding.steps for finding in found(parts, "idle")] == [(100, STEPS - 1)]
    for values in observation.values():
        values[:] = values[0]
    action[:] = 0
    assert "whole episode" in found(parts, "idle")[0].problem


def test_constant_components_are_found_once_for_the_dataset():
    parts = clean(0)
    for observation, action in parts:
        observation["state"][:, 1], action[:, 0] = 3, 0.25
    state, action = found(parts, "constant")
    assert state.episode is None and "component 1 is 3 in the whole dataset" in state.problem
    assert action.field == "action" and "component 0 is 0.25" in action.problem
    parts[0][0]["state"][7, 1] = 3.5
    assert [finding.field for finding in found(parts, "constant")] == ["action"]


@pytest.mark.parametrize("lag", [-3, -2, -1, 1, 2, 3])
@pytest.mark.parametrize("seed", SEEDS)
def test_shifted_actions_are_found_with_their_number_of_steps(lag, seed):
    """``recorded[t + lag]`` is what moved the state at ``t``."""
    parts = [(observation, np.roll(action, lag, axis=0)) for observation, action in numbers_only(clean(seed))]
    (finding,) = found(parts, "lag", spec=NUMBERS)
    steps = f"{abs(lag)} step{'s' * (abs(lag) > 1)}"
    where = f"changes {steps} before its action" if lag > 0 else f"follows its action {steps} late"
    assert where in finding.problem
    sign = "+" if lag > 0 else "-"
    assert f"record action[t {sign} {abs(lag)}] as action[t]" in finding.advice


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("noise", [0.0, 0.05, 0.3])
def test_a_controller_is_no_leak(seed, noise):
    """Actions that follow from the state predict its last change, without any shift."""
    rng = np.random.default_rng(seed)
    parts = []
    for _ in range(8):
        state, action = np.zeros((STEPS, 2), np.float32), np.zeros((STEPS - 1, 1), np.float32)
        state[0] = rng.normal(size=2)
        for step in range(STEPS - 1):
            action[step] = np.clip(-0.8 * state[step, 0] - 0.4 * state[step, 1], -5, 5)
            state[step + 1, 1] = 0.9 * state[step, 1] + 0.2 * action[step, 0] + noise * rng.normal()
            state[step + 1, 0] = state[step, 0] + 0.2 * state[step + 1, 1]
        parts.append(({"state": state}, action))
    spec = tc.Spec({"state": tc.Modality("vector", (2,))}, tc.Box((-5.0,), (5.0,)))
    assert found(parts, "lag", spec=spec) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_jumps_are_found_and_angles_that_wrap_are_named(seed):
    parts = clean(seed)
    parts[6][0]["state"][70, 3] += 60
    (finding,) = found(parts, "jumps")
    assert (finding.episode, finding.steps) == (6, (69, 71)) and "component 3 jumps by up to" in finding.problem
    angle = np.linspace(0, 9, STEPS) + 0.5 + 0.02 * np.random.default_rng(seed).normal(size=STEPS)
    parts = clean(seed)
    parts[6][0]["state"][:, 0] = angle % (2 * np.pi)
    (finding,) = found(parts, "jumps")
    assert "sine and cosine" in finding.advice


def test_clipped_actions_are_found_and_a_gripper_is_not():
    parts = [(observation, np.clip(2 * action, -1, 1)) for observation, action in clean(0)]
    first, second = found(parts, "clipped")
    assert "component 0 is at a bound of its box in 5" in first.problem and "component 1" in second.problem
    grippers = [(observation, np.sign(action)) for observation, action in parts]
    assert found(grippers, "clipped") == []


@pytest.mark.parametrize(("factor", "unit"), [(1.0, 1.0), (2.0, 1.0), (0.5, 1e3)])
def test_a_wrong_fps_is_an_error(factor, unit):
    def labels(steps):
        return {"timestamp": unit * np.arange(steps) / (20.0 * factor)}

    findings = found(clean(0, 2), "fps", labels=labels)
    if factor == 1:
        assert findings == []
        return
    assert [finding.severity for finding in findings] == ["error", "error"]
    message = f"expected 20 observations a second, as stated; the recorded times say {20 * factor:g}"
    assert message in findings[0].problem


def test_missing_observations_and_times_that_run_backwards_are_found():
    def labels(steps, at=40, size=5.0):
        times = np.arange(steps) / 20.0
        times[at:] += size
        return {"time": times}

    finding = found(clean(0, 1), "fps", labels=labels)[0]
    assert (
        finding.steps == (39, 40)
        and finding.severity == "warning"
        and "1 steps are not of one period" in finding.problem
    )
    finding = found(clean(0, 1), "fps", labels=lambda steps: labels(steps, size=-1.0))[0]
    assert finding.severity == "error" and "backwards" in finding.problem and finding.steps == (39, 40)


def test_an_episode_that_is_there_twice_is_found():
    parts = clean(0)
    parts.append(parts[3])
    (finding,) = found(parts, "repeated")
    assert finding.episode == 8 and "it equals episode 3" in finding.problem


def test_short_episodes_are_counted():
    parts = clean(0)
    parts += [
        ({name: values[:2] for name, values in observation.items()}, action[:1]) for observation, action in parts[:2]
    ]
    (finding,) = found(parts, "short")
    assert (
        finding.episode is None
        and "2 episodes have at most 2 observations, and the longest has 120: 8, 9" in finding.problem
    )


def test_stale_columns_are_found(tmp_path):
    values = [float(row) if row < 10 or row >= 30 else 9.0 for row in range(40)]
    rows = [f"{row},{row},{value}" for row, value in enumerate(values)]
    (tmp_path / "a.csv").write_text("\n".join(["time,x,slow", *rows]))
    (finding,) = examine(tc.data.open(tmp_path / "a.csv", period={"slow": 2.0}), ["stale"])
    assert finding.steps == (16, 29) and "component 0 (slow) is stale in 35% of 40 samples" in finding.problem


def test_unknown_checks_are_refused_with_the_nearest():
    with pytest.raises(ConfigError, match="Did you mean 'frozen'"):
        examine(dataset(clean(0, 1)), ["frosen"])
    with pytest.raises(ConfigError, match="names or objects of QualityCheck"):
        examine(dataset(clean(0, 1)), [3])  # type: ignore[list-item]
    parts = clean(0)
    parts[4][0]["pixels"][50:53] = 0
    assert examine(dataset(parts), [tc.data.quality.Blank(spread=-1)]) == []


def test_memory_does_not_grow_with_the_number_of_episodes(tmp_path):
    def peak(count):
        tc.data.save(dataset([rollout(seed) for seed in range(count)]), tmp_path / f"{count}")
        episodes = tc.data.open(tmp_path / f"{count}")
        list(episodes.stream())
        tracemalloc.start()
        examine(episodes)
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    assert peak(24) < 1.6 * peak(6)


def command(*words, cwd):
    return subprocess.run([sys.executable, "-m", "tacit", "data", *words], cwd=cwd, capture_output=True, text=True)


def test_the_command_line_warns_and_fails_only_if_strict(tmp_path):
    parts = clean(0)
    parts[4][0]["pixels"][50:53] = 0
    tc.data.save(dataset(parts), tmp_path / "data")
    done = command("check", "data", cwd=tmp_path)
    assert done.returncode == 0 and "warning: " in done.stdout and "1 warning" in done.stdout, done.stdout + done.stderr
    assert command("check", "data", "--strict", cwd=tmp_path).returncode == 1
    plain = command("check", "data", "--no-quality", cwd=tmp_path)
    assert plain.returncode == 0 and "nothing wrong" in plain.stdout


def test_the_command_line_fails_at_an_error_of_quality(tmp_path):
    data = dataset(clean(0, 2), labels=lambda steps: {"timestamp": np.arange(steps) / 7.0})
    tc.data.save(data, tmp_path / "data.h5", "hdf5")
    done = command("check", "data.h5", cwd=tmp_path)
    assert done.returncode == 1 and "as stated; the recorded times say 7" in done.stdout


def test_the_command_line_shortens_long_lists(tmp_path):
    parts = clean(0, 30)
    for observation, _ in parts:
        observation["pixels"][50:53] = 0
    tc.data.save(dataset(parts), tmp_path / "data")
    done = command("check", "data", cwd=tmp_path)
    assert "10 more of blank" in done.stdout and done.stdout.count("3 black frames") == 20
