"""Every planner of the registry keeps the promises of the protocol, and the suite notices those that do not."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tacit import planners
from tacit.errors import ConfigError, PlanningError, SpecError
from tacit.planners import CEM, MPPI, RandomShooting, WorldNoise
from tacit.testing.planners import bandit, bowl, check_planner
from tacit.types import Box, Discrete, Scored


@pytest.mark.parametrize("name", planners.names())
def test_planner_conforms(name):
    check_planner(planners.load(name)())


@pytest.mark.parametrize("name", ["gradient", "icem", "mppi"])
def test_discrete_spaces_are_refused_with_advice(name):
    with pytest.raises(ConfigError, match="CEM and RandomShooting"):
        bandit().solve(planners.load(name)())


class Broken:
    """CEM with one promise broken."""

    def __init__(self, breakage):
        self.breakage = breakage

    def __call__(self, problem):
        score, space, asked = problem.score, problem.space, problem
        if self.breakage == "global":
            asked = replace(asked, noise=WorldNoise.of(int(torch.randint(1000, ())), problem.batch))
        if self.breakage == "hints":
            asked = replace(asked, warm_start=None, proposals=None)
        if self.breakage == "batch":
            asked = replace(asked, noise=WorldNoise.of(0, problem.batch))
        if self.breakage == "deaf":
            asked = replace(asked, stop=None)
        if self.breakage == "penalty":
            score = self.weighed(score)
        if self.breakage == "discrete" and isinstance(space, Discrete):
            asked = replace(asked, space=Box((0.0,) * space.n, (1.0,) * space.n))
        plan = CEM()(replace(asked, score=self.scores(score)))
        if self.breakage == "mean":
            mode = space.project(plan.trace[-1].elite)
            energy = score(mode[:, None])[:, 0]
            good = energy.isfinite()
            actions = torch.where(good[:, None, None], mode, plan.actions)
            return replace(
                plan, actions=actions, energy=energy.where(good, plan.energy), evaluations=plan.evaluations + 1
            )
        if self.breakage == "fragile" and plan.failed.any():
            raise PlanningError("world 1 has no finite energy")
        if self.breakage == "bounds":
            return replace(plan, actions=plan.actions * 1.001)
        if self.breakage == "wrong":
            return replace(plan, actions=plan.actions.flip(0))
        return replace(plan, evaluations=plan.evaluations + (self.breakage == "count"))

    def weighed(self, score):
        def penalised(actions):
            scored = score(actions)
            if not isinstance(scored, Scored):
                return scored
            return Scored(scored.energy + 0.1 * scored.violation.clamp(min=0), torch.zeros_like(scored.violation))

        return penalised

    def scores(self, score):
        def nan_is_best(actions):
            energies = score(actions)
            return torch.where(energies.isfinite(), energies, -1e6)

        def all_together(actions):
            energies = score(actions)
            return energies + energies.mean(dim=0) * torch.linspace(0, 9, energies.shape[1])

        return {"nan": nan_is_best, "neighbours": all_together}.get(self.breakage, score)


@pytest.mark.parametrize(
    "breakage",
    [
        *("global", "hints", "discrete", "bounds", "wrong", "count", "nan", "neighbours", "fragile", "batch", "deaf"),
        "penalty",
    ],
)
def test_suite_notices(breakage):
    with pytest.raises(AssertionError):
        check_planner(Broken(breakage))


def test_suite_notices_a_mean_that_was_not_compared():
    with pytest.raises(AssertionError, match="never worse than the best candidate"):
        check_planner(Broken("mean"))


class Standardized(MPPI):
    """MPPI whose temperature is set by the standard deviation of all finite energies."""

    def _weights(self, energies):
        if isinstance(energies, np.ndarray):
            return self._weights(torch.from_numpy(energies)).numpy()
        finite = energies.isfinite()
        known = energies.masked_fill(~finite, 0.0)
        count = finite.sum(dim=1, keepdim=True)
        mean = known.sum(dim=1, keepdim=True) / count
        std = ((finite * (known - mean).square()).sum(dim=1, keepdim=True) / count).sqrt()
        return torch.softmax((energies.amin(dim=1, keepdim=True) - energies) / (0.1 * std + 1e-20), dim=1)


def test_suite_notices_a_scale_that_penalties_set():
    with pytest.raises(AssertionError, match="penalty on other candidates"):
        check_planner(Standardized())


@pytest.mark.parametrize("name", planners.names())
@pytest.mark.parametrize("bad", [1, 3])
def test_a_world_without_a_finite_energy_in_one_round_has_not_failed(name, bad):
    problem = bowl()
    rounds = []

    def score(actions):
        rounds.append(1)
        energies = problem.score(actions)
        return torch.cat([energies[:2], energies[2:] * torch.nan]) if len(rounds) == bad else energies

    planner = RandomShooting(iterations=3) if name == "random_shooting" else planners.load(name)()

    plan = problem.solve(planner, score=score)
    if bad == 1 and len(plan.trace) == 1:
        assert plan.failed.tolist() == [False, False, True]
        return
    assert not plan.failed.any()
    if bad == 1:
        assert plan.trace[0].best[2] == torch.inf
        return
    second, third = plan.trace[1:3]
    assert torch.equal(second.best[2], third.best[2])
    assert third.rejected.tolist()[:2] == [0, 0]
    assert third.rejected[2] > 0
    if name in ("cem", "icem", "mppi"):
        assert torch.equal(second.elite[2], third.elite[2])
        assert torch.equal(second.spread[2], third.spread[2])
        assert not torch.equal(second.elite[1], third.elite[1])
    assert plan.actions.isfinite().all()
    assert torch.equal(plan.actions[:2], problem.solve(planner).actions[:2])


def test_a_categorical_search_stays_as_it_was_too():
    problem = bandit()
    rounds = []

    def score(actions):
        rounds.append(1)
        energies = problem.score(actions)
        return torch.cat([energies[:1] * torch.nan, energies[1:]]) if len(rounds) == 2 else energies

    plan = problem.solve(CEM(), score=score)
    assert torch.equal(plan.trace[0].elite[0], plan.trace[1].elite[0])
    assert plan.trace[-1].elite.isfinite().all()


def test_legal_actions():
    actions = torch.tensor([[3.0, 0.2], [-1.0, 0.9]])
    assert Box((-0.5, 0.0), (0.5, 0.5)).project(actions).tolist() == [[0.5, pytest.approx(0.2)], [-0.5, 0.5]]
    assert Discrete(2).project(actions).tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize("name", planners.names())
@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"warm_start": torch.zeros(3, 1, 2)}, SpecError, r"\[3, 2, 2\]; got \[3, 1, 2\]"),
        ({"proposals": torch.zeros(2, 4, 2, 2)}, SpecError, r"\[3, P, 2, 2\]; got \[2, 4, 2, 2\]"),
        ({"proposals": torch.zeros(3, 2, 2)}, SpecError, "proposals must be"),
        ({"warm_start": torch.full((3, 2, 2), torch.nan)}, PlanningError, "warm_start must be finite"),
        ({"proposals": torch.full((3, 1, 2, 2), torch.inf)}, PlanningError, "proposals must be finite"),
        ({"score": lambda actions: actions.square().sum(dim=(1, 2, 3))}, SpecError, r"energies \[B, S\]"),
        ({"horizon": 0}, ConfigError, "horizon >= 1"),
        ({"noise": ()}, ConfigError, "batch >= 1"),
    ],
)
def test_what_does_not_fit_is_refused(name, changes, error, message):
    with pytest.raises(error, match=message):
        bowl().solve(planners.load(name)(), **changes)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("cem", {"elites": 0}),
        ("cem", {"samples": 10, "elites": 11}),
        ("cem", {"iterations": 0}),
        ("cem", {"min_std": 2.0}),
        ("cem", {"mean_momentum": 1.0}),
        ("cem", {"result": "median"}),
        ("icem", {"decay": 0.5}),
        ("icem", {"keep": 1.5}),
        ("icem", {"beta": -1.0}),
        ("icem", {"momentum": 1.0}),
        ("icem", {"iterations": 0}),
        ("icem", {"elites": 0}),
        ("mppi", {"temperature": 0.0}),
        ("mppi", {"decay": 0.0}),
        ("mppi", {"samples": 0}),
        ("mppi", {"result": "median"}),
        ("gradient", {"starts": 0}),
        ("gradient", {"learning_rate": 0.0}),
        ("gradient", {"betas": (0.9, 1.0)}),
        ("gradient", {"std": -1.0}),
        ("random_shooting", {"samples": 0}),
    ],
)
def test_options_out_of_range_are_refused(name, options):
    with pytest.raises(ConfigError, match="needs"):
        planners.load(name)(**options)
