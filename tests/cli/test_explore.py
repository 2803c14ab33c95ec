"""tacit explore: a map of a world, which is saved with the agent and grows."""

import pytest
import torch

import tacit as tc
from tacit.cli import main
from tacit.exploration import map_episodes

WORLD = "two_rooms"


def run(*words):
    try:
        main(words)
    except SystemExit as stopped:
        return stopped.code or 0
    return 0


@pytest.fixture(scope="module")
def run_with_map(tmp_path_factory):
    agent = tc.recipes.pretrained(WORLD)
    torch.manual_seed(0)
    critic = tc.costs.TemporalCritic(tc.costs.TemporalCriticConfig(agent.model.config.latent)).eval()
    episodes = tc.collect(WORLD, episodes=4, steps=60, seed=0, progress=False)
    path = tmp_path_factory.mktemp("runs") / "agent"
    agent.replace(sub_goals=map_episodes(agent.model, critic, episodes, horizon=4)).save(path)
    return path


def test_a_map_is_made_and_grows(capsys, run_with_map, tmp_path) -> None:
    place, options = str(tmp_path / "map"), ("--steps", "60", "--device", "cpu")
    assert run("explore", WORLD, "--run", str(run_with_map), "--to", place, *options) == 0
    assert "from 1 episodes" in capsys.readouterr().out
    first = tc.Agent.load(place).config.sub_goals.graph
    assert run("explore", WORLD, "--to", place, "--seed", "1", *options) == 0
    assert "from 2 episodes" in capsys.readouterr().out
    again = tc.Agent.load(place).config.sub_goals.graph
    assert torch.equal(again.latents[: len(first)], first.latents) and again.episodes == 2
    assert run("eval", place, "--env", WORLD, "--episodes", "2") == 0


def test_bad_input_is_refused(capsys, run_with_map, tmp_path) -> None:
    assert run("explore", WORLD, "--to", str(tmp_path / "map")) == 1
    assert "--run RUN" in capsys.readouterr().err
    flat = tmp_path / "flat"
    tc.recipes.pretrained(WORLD).save(flat)
    assert run("explore", WORLD, "--run", str(flat), "--to", str(tmp_path / "map")) == 1
    assert "this agent has none" in capsys.readouterr().err
