"""Work that takes a while shows its progress where somebody watches, and nowhere else."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import tacit as tc
from probing.exact import Exact, recordings
from tacit.agent import Agent
from tacit.cli import main
from tacit.costs import Goal
from tacit.planners import CEM
from tacit.testing.worlds import LineWorld

ev = tc.evaluation


def parts() -> dict[str, Any]:
    fit_on, test_on = recordings(6, seed=1), recordings(4, seed=2)
    return {"model": Exact(fit_on.spec), "fit_on": fit_on, "test_on": test_on}


def agent() -> tuple[Agent, LineWorld]:
    env = LineWorld()
    return Agent(Exact(env.spec, size=1), CEM(samples=8, iterations=3, elites=4), Goal(), horizon=2), env


def features(**show: Any) -> object:
    return tc.probing.features(Exact(), recordings(3), **show)


def probe(**show: Any) -> object:
    return tc.probing.probe(**parts(), baselines=False, frames=64, **show)


def heads(**show: Any) -> object:
    known = tc.probing.features(Exact(), recordings(6, seed=1), progress=False)
    new = tc.probing.features(Exact(), recordings(3, seed=2), progress=False)
    return tc.probing.probes.MLP(lrs=(3e-3,), epochs=1)(known, new, "position", **show)


def health(**show: Any) -> object:
    return tc.probing.health(Exact(), recordings(3), **show)


def open_loop(**show: Any) -> object:
    return ev.open_loop(Exact(), recordings(3), 2, windows=32, **show)


def decide(**show: Any) -> object:
    return ev.decide(*agent(), **show)


def closed_loop(**show: Any) -> object:
    return ev.closed_loop(*agent(), episodes=2, **show)


def rank(**show: Any) -> object:
    made, env = agent()
    return ev.energy_rank_correlation(made.model, made.config.cost, env, horizon=2, tasks=2, candidates=4, **show)


def collect(**show: Any) -> object:
    return tc.collect("point_mass", episodes=2, steps=2, **show)


WORK = {
    features: "batches encoded",
    probe: "steps of the heads",
    heads: "steps of the heads",
    health: "batches encoded",
    open_loop: "batches of windows",
    decide: "rounds of candidates",
    closed_loop: "steps of 2 tasks",
    rank: "tasks with random plans",
    collect: "episodes",
}


@pytest.mark.parametrize("work", WORK, ids=lambda work: work.__name__)
def test_a_progress_bar_appears_on_a_terminal(
    work: Callable[..., object], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    work()
    assert capfd.readouterr() == ("", "")
    monkeypatch.setattr("tacit._progress.interactive", lambda: True)
    work()
    out, err = capfd.readouterr()
    assert not out and WORK[work] in err
    work(progress=False)
    assert capfd.readouterr() == ("", "")
    monkeypatch.undo()
    work(progress=True)
    assert WORK[work] in capfd.readouterr().err


def test_saving_and_converting_have_a_progress_bar(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def work(number: int, **show: Any) -> str:
        tc.data.save(recordings(2), tmp_path / f"a{number}", **show)
        tc.data.convert(tmp_path / f"a{number}", tmp_path / f"b{number}.h5", "hdf5", **show)
        out, err = capfd.readouterr()
        assert not out
        return err

    assert work(0) == ""
    monkeypatch.setattr("tacit._progress.interactive", lambda: True)
    assert work(1).count("episodes") >= 2 and work(2, progress=False) == ""


def test_results_do_not_depend_on_the_progress_bar() -> None:
    first, second = (ev.decide(*agent(), progress=show) for show in (False, True))
    torch.testing.assert_close(first.plan.actions, second.plan.actions, rtol=0, atol=0)
    assert probe(progress=False).r2 == probe(progress=True).r2  # type: ignore[attr-defined]


def test_tacit_plan_has_a_progress_bar(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    made, env = agent()
    monkeypatch.setattr("tacit.cli._run.agent_of", lambda *_: made)
    monkeypatch.setattr("tacit.cli._run.other_world", lambda *_: "")
    monkeypatch.setattr("tacit.envs.make_goal", lambda *_: env)
    for watched in (False, True):
        monkeypatch.setattr("tacit._progress.interactive", lambda shown=watched: shown)
        main(["plan", str(tmp_path), "--env", "line", "--to", str(tmp_path / "plan.png")])
        assert ("rounds of candidates" in capfd.readouterr().err) == watched
