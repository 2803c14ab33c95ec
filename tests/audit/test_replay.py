"""Audited actors act as before, and a replay repeats every act bit for bit."""

import dataclasses
import json
import time

import numpy as np
import pytest
import torch

import tacit as tc
from audit.logged import act, agent_of
from tacit.agent import AgentState, PolicyActor, RandomActor
from tacit.audit._chain import sealed
from tacit.audit._values import decoded, encoded
from tacit.errors import AuditError, CheckpointError, ConfigError, DataError
from tacit.nn.readout import LinearReadout
from tacit.testing.worlds import PointModel
from tacit.types import Box, Modality, Spec


def audited(path, agent, model, log=None, **options):
    """Let an audited agent act; return its actions and verdicts."""
    with tc.audit.Log(path, **(log or {})) as written:
        return act(tc.audit.Audited(agent, written), model, **options)


def replayed(path, agent, acts, **options):
    found = tc.audit.replay(path, agent, **options)
    assert str(found).startswith(f"{acts} acts")
    assert found.identical, found
    assert (found.acts, found.lost, found.closed, dict(found.changed)) == (acts, 0, True, {})
    return found


def rewritten(path, change):
    """Change the values of records, and chain them again."""
    for file in sorted(path.glob("*.jsonl")):
        previous, lines = "0" * 64, []
        for number, line in enumerate(file.read_text().splitlines()):
            values = json.loads(line)
            change(values)
            body = ",".join(
                f"{json.dumps(key)}:{json.dumps(one)}"
                for key, one in values.items()
                if key not in ("record", "previous", "kind", "sha256")
            )
            content, previous = sealed(number, previous, values["kind"], body)
            lines.append(content)
        file.write_bytes(b"".join(lines))


class Vague(PointModel):
    """Refuses observations that are not finite, and reads two modalities."""

    def __init__(self):
        super().__init__(frameskip=2)
        self.spec = Spec({**self.spec.modalities, "extra": Modality("vector", (2,))}, self.spec.action)

    def encode(self, observation):
        if not np.isfinite(observation["position"]).all():
            raise ValueError("the position is not finite")
        return torch.from_numpy(np.asarray(observation["position"] + observation["extra"], np.float32))


def test_an_audited_agent_acts_as_before(tmp_path):
    model = PointModel(frameskip=2)
    agent = agent_of(model)
    plain, verdicts = act(agent, model)
    actions, same = audited(tmp_path, agent, model)
    np.testing.assert_array_equal(actions, plain)
    for one, other in zip(verdicts, same, strict=True):
        assert (one.decision, one.reasons, one.fallback) == (other.decision, other.reasons, other.fallback)


@pytest.mark.parametrize("kind", sorted(set(tc.planners.names())))
def test_every_planner_is_replayed(tmp_path, kind):
    model = PointModel(frameskip=2)
    options = {"cem": {"result": "mean", "samples": 16, "elites": 4}}.get(kind, {})
    agent = agent_of(model, tc.planners.load(kind)(**options))
    audited(tmp_path, agent, model, steps=8)
    found = replayed(tmp_path, agent, 8)
    assert found.decisions == 4


def test_a_log_in_many_segments_is_replayed(recorded):
    replayed(*recorded, 12)


def test_a_log_is_replayed_after_its_oldest_segments_were_deleted(tmp_path):
    agent = agent_of()
    options = {"segment_mb": 0.003, "limit_mb": 0.01, "when_full": "delete_oldest"}
    audited(tmp_path, agent, agent.model, options, steps=30)
    found = tc.audit.replay(tmp_path, agent)
    assert found.identical
    assert 2 < found.acts < 30


def test_replanning_late_and_worlds_of_their_own_seeds_are_replayed(tmp_path):
    agent = agent_of(replan_every=2, repeat_action=True)
    with tc.audit.Log(tmp_path) as log:
        actor = tc.audit.Audited(agent, log)
        states = [actor.start(seed=seed, goal={"position": np.zeros((1, 2), np.float32)}) for seed in (3, 4)]
        shown = {"position": np.full((1, 2), 0.5, np.float32)}
        states = [actor.act(state, shown)[2] for state in states]
        joined = AgentState.stack(states)  # no record led to this state
        _, _, joined = actor.act(joined, {"position": np.full((2, 2), 0.5, np.float32)})
        actor.act(states[0], shown)  # a state is a value: acting on it again is another act
    replayed(tmp_path, agent, 4)


class Slow(PointModel):
    """Takes a millisecond for each rollout."""

    def rollout(self, context, blocks, /):
        if blocks.ndim == 4:
            time.sleep(0.001)
        return super().rollout(context, blocks)


@pytest.mark.parametrize("result", ["best", "mean"])
def test_a_search_that_a_deadline_stopped_is_replayed(tmp_path, result):
    model = Slow(frameskip=2)
    planner = tc.planners.CEM(samples=8, iterations=1000, elites=2, result=result)
    agent = agent_of(model, planner, deadline_ms=15.0)
    _, verdicts = audited(tmp_path, agent, model, steps=8)
    plans = [one.plan for one in verdicts if one.plan]
    assert {plan.ended for plan in plans} == {"stopped"}
    found = replayed(tmp_path, agent, 8)
    assert found.decisions == len(plans)


def test_a_deadline_that_was_not_reached_is_replayed(tmp_path):
    model = PointModel(frameskip=2)
    agent = agent_of(model, deadline_ms=60_000.0)
    audited(tmp_path, agent, model)
    replayed(tmp_path, agent, 6)


def test_an_observation_that_is_not_finite_is_replayed(tmp_path):
    def shown(step, observation):
        return {"position": np.full((2, 2), np.nan, np.float32)} if 2 <= step < 6 else observation

    agent = agent_of(replan_every=1)
    _, verdicts = audited(tmp_path, agent, agent.model, steps=10, shown=shown)
    assert {one.decision[0] for one in verdicts} > {"act"}
    replayed(tmp_path, agent, 10)


def test_an_observation_that_cannot_be_encoded_is_replayed(tmp_path):
    def shown(step, observation):
        extra = {"extra": np.zeros((2, 2), np.float32)}
        if step == 2:
            return {"position": np.full((2, 2), np.inf, np.float32), **extra}
        if step == 6:
            return {"position": np.zeros((2, 3), np.float32), **extra}
        return {**observation, **({} if step == 4 else extra)}

    model = Vague()
    agent = agent_of(model)
    # The goal lacks a modality, so each observation completes it.
    _, verdicts = audited(tmp_path, agent, model, steps=10, shown=shown)
    reasons = [one.reason for one in verdicts]
    assert "ValueError: the position is not finite" in reasons[2]
    assert "KeyError" in reasons[4]
    assert "ValueError: operands" in reasons[6]
    replayed(tmp_path, agent, 10)


class Scripted(tc.planners.CEM):
    """Fails at some decisions, in all worlds or in the second."""

    def __call__(self, problem):
        step = problem.noise.steps[0]
        if step in (2, 4):
            raise tc.errors.PlanningError("nothing is finite")
        plan = super().__call__(problem)
        if step in (8, 10):
            energy = plan.energy.clone()
            energy[1] = torch.inf
            plan = dataclasses.replace(plan, energy=energy)
        return plan


def halved(observation):
    """A policy that reads the whole observation."""
    return (-0.5 * observation["position"]).astype(np.float32)


@pytest.mark.parametrize("fallback", ["noop", "last_action", halved])
def test_acts_of_a_fallback_are_replayed(tmp_path, fallback):
    model = PointModel(frameskip=2)
    agent = agent_of(model, Scripted(samples=16, iterations=2, elites=4), fallback=fallback, horizon=1)
    _, verdicts = audited(tmp_path, agent, model, steps=14)
    expected = "policy" if callable(fallback) else fallback
    assert expected in {name for one in verdicts for name in one.fallback}
    replayed(tmp_path, agent, 14)


def test_a_fallback_that_holds_the_position_is_replayed(tmp_path):
    model = PointModel(frameskip=2)
    model.spec = Spec(
        {"position": Modality("vector", (2,))}, Box((-1.0, -1.0), (1.0, 1.0), "position"), position="position"
    )
    agent = agent_of(model, Scripted(samples=16, iterations=2, elites=4), horizon=1)
    audited(tmp_path, agent, model, steps=14)
    replayed(tmp_path, agent, 14)


def test_a_policy_without_search_and_constraints_are_replayed(tmp_path):
    class Halfway:
        def propose(self, context, goal, horizon, count, noise, model):
            step = (goal - context.latents[:, -1]) / 4
            return step.repeat(1, 2)[:, None, None].expand(-1, count, horizon, -1)

    model = PointModel(frameskip=2)
    actor = PolicyActor(model, Halfway(), constraints=[tc.constraints.MaxChange(0.1)])
    audited(tmp_path, actor, model, last_action=np.zeros((2, 2), np.float32))
    replayed(tmp_path, actor, 6)


@pytest.mark.parametrize("partial", [False, True])
def test_frames_are_encoded_again(tmp_path, partial):
    model = Vague() if partial else PointModel(frameskip=2)
    extra = {"extra": np.ones((2, 2), np.float32)} if partial else {}
    agent = agent_of(model)
    audited(tmp_path, agent, model, {"frames": True}, shown=lambda _, observation: {**observation, **extra})
    replayed(tmp_path, agent, 6)
    before = getattr(model, "encoded", 0)
    replayed(tmp_path, agent, 6, frames=True)
    assert partial or model.encoded > before


def test_a_replay_without_frames_does_not_encode(recorded):
    folder, agent = recorded
    before = agent.model.encoded
    replayed(folder, agent, 12)
    assert agent.model.encoded == before
    with pytest.raises(ConfigError, match=r"holds no frames.*frames=True"):
        tc.audit.replay(folder, agent, frames=True)


def test_another_agent_differs_and_is_named(recorded):
    folder, agent = recorded
    other = agent_of(agent.model, tc.planners.CEM(samples=16, iterations=1, elites=4))
    found = tc.audit.replay(folder, other)
    assert found.different > 0
    assert not found.identical
    assert "plan.actions" in found.largest
    assert set(found.changed) == {"agent"}
    text = str(found)
    assert "agent:" in text
    assert f"{found.first[0].file.name}, line {found.first[0].line}, record" in text


def test_an_agent_of_another_world_is_refused(recorded):
    model = PointModel(frameskip=2, space=Box((-1.0,) * 3, (1.0,) * 3, "delta"))
    with pytest.raises(ConfigError, match=r"line 3, record 2: the agent cannot repeat.*Give the agent that wrote"):
        tc.audit.replay(recorded[0], agent_of(model))


@pytest.mark.parametrize("member", ["state", "threads", "frames"])
def test_a_record_without_a_member_is_named(tmp_path, member):
    agent = agent_of()
    audited(tmp_path, agent, agent.model)
    rewritten(tmp_path, lambda values: values.pop(member, None))
    if member == "state":
        assert "line 2, record 1: a member is missing" in tc.audit.replay(tmp_path, agent).broken
    else:
        with pytest.raises(DataError, match="line 1, record 0: a member is missing"):
            tc.audit.replay(tmp_path, agent, frames=member == "frames")


def test_other_versions_are_named(recorded, tmp_path):
    agent = agent_of()
    audited(tmp_path / "one", agent, agent.model)

    def change(values):
        if values["kind"] == "segment":
            values["versions"]["torch"] = "1.0"
            values["machine"]["cpu"] = "abacus"

    rewritten(tmp_path / "one", change)
    found = tc.audit.replay(tmp_path / "one", agent)
    assert found.identical
    assert found.changed["torch"] == ("1.0", torch.__version__)
    assert found.changed["cpu"][0] == "abacus"


@pytest.mark.parametrize("part", ["action", "latent", "predicted", "verdict", "plan"])
def test_a_changed_outcome_is_found_in_any_part(tmp_path, part):
    agent = agent_of()
    audited(tmp_path, agent, agent.model)
    changed = []

    def change(values):
        if part in values and not changed:
            changed.append(values["record"])
            where = values[part]
            if part == "verdict":
                where["decision"][0] = "stop"
            else:
                array = where["actions"] if part == "plan" else where
                numbers = decoded(array)
                numbers.ravel()[0] = np.nextafter(numbers.ravel()[0], np.float32(2))
                array.update(json.loads(encoded(numbers)))

    rewritten(tmp_path, change)
    found = tc.audit.replay(tmp_path, agent)
    assert found.different >= 1
    assert found.first[0].record == changed[0]
    assert any(one.part.startswith(part) or part == "latent" for one in found.first)


def test_a_missing_plan_is_found(tmp_path):
    agent = agent_of()
    audited(tmp_path, agent, agent.model)
    rewritten(tmp_path, lambda values: values.pop("plan", None))
    found = tc.audit.replay(tmp_path, agent)
    assert found.different == 3
    assert dict(found.largest) == {"plan": np.inf}


def test_acts_before_a_cut_are_replayed(recorded):
    folder, agent = recorded
    last = sorted(folder.glob("*.jsonl"))[-1]
    last.write_bytes(last.read_bytes()[:-30])
    found = tc.audit.replay(folder, agent)
    assert (found.acts, found.different, found.closed, found.identical) == (12, 0, False, False)
    assert f"{last.name}, line" in found.broken
    assert "broken chain" in str(found)


def test_acting_goes_on_without_a_disk_and_says_so(tmp_path, monkeypatch):
    agent = agent_of()
    plain, _ = act(agent, agent.model, steps=8)
    with tc.audit.Log(tmp_path, when_full="continue") as log:
        actor, write = tc.audit.Audited(agent, log), log._put

        def put(kind, body):
            if 3 <= log.lost + log.next - 2 < 6:
                raise OSError(28, "No space left on device")
            write(kind, body)

        monkeypatch.setattr(log, "_put", put)
        with pytest.warns(UserWarning, match="acting without an audit log"):
            actions, verdicts = act(actor, agent.model, steps=8)
    np.testing.assert_array_equal(actions, plain)
    flags = [bool("unaudited" in one.evidence) for one in verdicts]
    assert flags == [3 <= step < 6 for step in range(8)]
    found = tc.audit.replay(tmp_path, agent)
    assert (found.acts, found.lost, found.identical) == (5, 3, True)


def test_acting_stops_without_a_disk_where_asked(tmp_path, monkeypatch):
    agent = agent_of()
    with tc.audit.Log(tmp_path) as log:
        actor = tc.audit.Audited(agent, log)
        monkeypatch.setattr("os.write", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(AuditError, match="cannot be written"):
            act(actor, agent.model)
        monkeypatch.undo()


def test_a_saved_agent_is_found_in_the_folder(tmp_path):
    agent = tc.recipes.pretrained("two_rooms")
    with tc.audit.Log(tmp_path) as log:
        actor = tc.audit.Audited(agent, log)
        tc.evaluation.closed_loop(actor, tc.envs.TwoRooms(num_envs=2), episodes=2, seed=5, progress=False)
    (saved,) = (tmp_path / "agents").iterdir()
    assert tc.Agent.load(saved).digest() == agent.digest()
    found = tc.audit.replay(tmp_path)
    assert found.identical, found
    assert not found.changed
    assert found.decisions > 3


def test_an_agent_that_cannot_be_saved_is_given(recorded):
    with pytest.raises(CheckpointError, match=r"holds no saved agent.*tc\.audit\.replay\(path, agent\)"):
        tc.audit.replay(recorded[0])


def test_actors_without_the_state_of_an_agent_are_refused(tmp_path):
    with tc.audit.Log(tmp_path) as log, pytest.raises(ConfigError, match="got a RandomActor"):
        tc.audit.Audited(RandomActor(PointModel().spec.action), log)


@pytest.mark.parametrize(
    "value",
    [
        np.array([np.nan, -0.0, 1e-45, np.inf], np.float32),
        np.array([[1, 2]], ">i4"),
        np.zeros((2, 0), np.bool_),
        np.array(["", "é\n"]),
        np.array(7, np.uint64),
        [1, None, True, "x", 0.1],
        {"a": {"b": [2**63]}},
    ],
)
def test_values_keep_every_bit(value):
    found = decoded(json.loads(encoded(value)))
    if isinstance(value, np.ndarray):
        value = value.astype(value.dtype.newbyteorder("<"))
        assert (found.shape, found.tobytes()) == (value.shape, value.tobytes())
    else:
        assert found == value


def test_values_without_a_meaning_are_refused():
    with pytest.raises(ConfigError, match="got a object"):
        encoded(object())


def test_constraints_with_margins_are_replayed(tmp_path):
    position = LinearReadout("position", np.eye(2, dtype=np.float32), np.zeros(2, np.float32), (0.01, 0.01), (1.0, 1.0))
    around = tc.constraints.KeepOut(position, (0.3, 0.3), (0.6, 0.6), margin=0.05)
    model = PointModel(frameskip=2)
    agent = agent_of(model, tc.planners.CEM(samples=16, iterations=2, elites=4), constraints=[around])
    _, verdicts = audited(tmp_path, agent, model, steps=8)
    assert any("slack" in name for one in verdicts for name in one.evidence)
    replayed(tmp_path, agent, 8)


def test_acts_under_a_guard_are_replayed(tmp_path):
    draw = np.random.default_rng(0)
    scores = (tc.guard.PredictionEnergy(1), tc.guard.Age(0.5, 2.0))
    values = np.abs(draw.normal(0.0, 0.003, (400, 12, 1)))
    fitted = tc.guard.fit(
        scores, tc.guard.ScoreSeries(("prediction energy",), values), false_alarm_rate=0.01, slow_rate=0.1
    )
    guard = tc.guard.Guard(scores, fitted.calibration, tc.guard.Caution())
    model = PointModel(frameskip=2)
    agent = agent_of(model, guard=guard, fallback="noop", replan_every=2)
    position = np.full((2, 2), 0.75, np.float32)
    decisions = []
    with tc.audit.Log(tmp_path) as log:
        actor = tc.audit.Audited(agent, log)
        state = actor.start(seed=1, batch=2, goal={"position": np.full((2, 2), 9.0, np.float32)})
        for step in range(20):
            position = position + np.float32([[0.0], [3.0 if step in (4, 13) else 0.0]])
            shown = {"position": np.full_like(position, np.nan) if step == 16 else position}
            if step == 10:
                state = actor.resume(state)
            action, verdict, state = actor.act(state, shown, age={2: None, 12: np.float32([0.7, 0.1])}.get(step, 0.25))
            position = position + action
            decisions.append(verdict.decision)
    assert {one for decision in decisions for one in decision} == {"act", "slow", "stop"}
    replayed(tmp_path, agent, 20)
