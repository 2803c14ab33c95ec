"""The option --offline of tacit eval."""

import json
from pathlib import Path

import pytest

import tacit as tc
from tacit.cli import main
from tacit.runs import RunRecord


def run(*words: object) -> int:
    try:
        main([str(word) for word in words])
    except SystemExit as stopped:
        return int(stopped.code or 0)
    return 0


def test_a_run_is_scored_on_its_held_out_recordings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tc.collect("point_mass", episodes=30, steps=30, seed=0, to=tmp_path / "data", progress=False)
    planner = json.dumps({"name": "cem", "options": {"samples": 8, "iterations": 1, "elites": 2}})
    words = ("--set", "policy_steps=2", "--set", f"acting.planner={planner}", "--device", "cpu")
    assert run("train", tmp_path / "data", "--to", tmp_path / "run", "--steps", 4, *words) == 0
    assert run("eval", tmp_path / "run", "--offline", "--horizon", 40, "--curve", 0.5, 1, "--device", "cpu") == 0
    shown = capsys.readouterr().out
    assert "model wins for" in shown and "times the usual surprise" in shown and "plans to what was observed" in shown
    report = json.loads((tmp_path / "run" / "offline" / "report.json").read_text())
    tc.reports.validate(report)
    found = report["offline"]
    assert found["horizon"] < 40, "the recordings are shorter"
    assert set(found["quantities"]) >= {"position[0]", "state[3]"}
    assert len(found["quantities"]["position[0]"]["error"]["model"]) == found["horizon"]
    assert [one["episodes"] for one in found["curve"]] == [14, 27]
    page = (tmp_path / "run" / "offline" / "index.html").read_text()
    assert "Surprising moments" in page and "Number of recordings" in page


def test_a_run_without_a_world_model_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    episodes = tc.collect("two_rooms:size=16", episodes=12, steps=4, seed=0, to=tmp_path / "data", progress=False)
    model = tc.recipes.IJEPA().build_model(episodes.spec, 0)
    with RunRecord("ijepa", str(tmp_path / "data"), episodes.hash(), seed=0).begun(tmp_path / "run"):
        pass
    tc.checkpoint.save(tmp_path / "run" / "checkpoint", model)
    assert run("eval", tmp_path / "run", "--offline", "--device", "cpu") != 0
    assert "has no world model" in capsys.readouterr().err
