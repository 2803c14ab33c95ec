"""Studies: what is run, what is recorded, what is refused."""

import json
import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

import tacit as tc
from tacit import studies
from tacit._files import locked


@dataclass(frozen=True)
class Settings:
    factor: float
    steps: int = 2


def square(run):
    (run.work / "scratch").write_text("x")
    return {"value": run.settings.factor * run.seed**2, "interval": tc.statistics.wilson(1, 2), "nothing": math.nan}


STUDY = studies.Study(
    name="squares",
    title="Squares",
    summary="Squares of seeds.",
    measure=square,
    cases={"one": Settings(1.0), "two": Settings(2.0)},
    seeds=(1, 2),
    seeds_of={"two": (2,)},
    report=lambda results: studies.Report(
        [studies.table(("run", "value"), [(name, f"{run.values['value']:g}") for name, run in results.items()])],
        [studies.Target("largest", ">= 8", "8", studies.met(is_met=True))],
    ),
)


def names(study, tmp_path, **options):
    return [name for name, _ in studies.run(study, tmp_path / "r.json", work=tmp_path / "work", **options)]


def test_runs_are_recorded_with_their_settings_and_what_made_them(tmp_path):
    assert names(STUDY, tmp_path) == ["one/1", "one/2", "two/2"]
    recorded = studies.Results(tmp_path / "r.json").read()
    assert recorded["two/2"].values["value"] == 8.0
    assert recorded["two/2"].values["interval"]["n"] == 2
    assert recorded["two/2"].values["nothing"] is None  # no NaN in JSON
    assert recorded["two/2"].settings == {"factor": 2.0, "steps": 2}
    assert {"versions", "git", "cpu", "load", "cpu_seconds"} <= set(recorded["two/2"].made_by)
    assert studies.by_case(recorded)["one"]["2"].values["value"] == 4.0


def test_an_interrupted_study_continues_with_the_next_run(tmp_path):
    first = studies.run(STUDY, tmp_path / "r.json", work=tmp_path / "work")
    assert next(first)[0] == "one/1"
    first.close()
    assert names(STUDY, tmp_path) == ["one/2", "two/2"]
    assert names(STUDY, tmp_path) == []


def test_a_run_that_fails_is_not_recorded_and_keeps_the_others(tmp_path):
    def fail(run):
        if run.seed == 2:
            raise ValueError("broken")
        return square(run)

    with pytest.raises(ValueError, match="broken"):
        names(replace(STUDY, measure=fail), tmp_path)
    assert set(studies.Results(tmp_path / "r.json").read()) == {"one/1"}
    assert names(STUDY, tmp_path) == ["one/2", "two/2"]


def test_other_settings_are_refused_by_name(tmp_path):
    names(STUDY, tmp_path)
    with pytest.raises(tc.errors.ConfigError, match=r"'one/1' with other settings: steps was 2 and is 3\. Choose"):
        names(STUDY.override({"steps": 3}), tmp_path)
    with pytest.raises(tc.errors.ConfigError, match=r"budget was None and is \{'operations': 5.0\}"):
        studies.missing(STUDY.override({"budget.operations": 5}), tmp_path / "r.json")
    assert names(replace(STUDY, budget=studies.Budget(threads=2)), tmp_path) == []  # threads change no result


def test_data_that_are_not_those_of_the_manifest_are_refused(tmp_path):
    episode = tc.Episode({"state": np.zeros((3, 1), np.float32)}, np.zeros((2, 1), np.float32))
    spec = tc.Spec({"state": tc.Modality("vector", (1,))}, tc.Box((-1.0,), (1.0,)))
    with tc.data.Writer(tmp_path / "data" / "train", spec) as writer:
        writer.add(episode)
    right = {"train": tc.data.open(tmp_path / "data" / "train").hash()}
    assert len(names(replace(STUDY, data=right), tmp_path, data=tmp_path / "data")) == 3
    (tmp_path / "r.json").unlink()
    with pytest.raises(tc.errors.DataError, match="was made with 000000000000"):
        names(replace(STUDY, data={"train": "0" * 64}), tmp_path, data=tmp_path / "data")


def test_a_run_of_another_process_is_left_to_it(tmp_path):
    with locked(tmp_path / "work" / "one/2" / ".lock"):
        assert names(STUDY, tmp_path) == ["one/1", "two/2"]


def test_threads_are_those_of_the_budget_and_restored(tmp_path):
    before = torch.get_num_threads()
    study = replace(STUDY, measure=lambda run: {"threads": torch.get_num_threads()}, budget=studies.Budget(threads=3))
    found = [run.values["threads"] for _, run in studies.run(study, tmp_path / "r.json", work=tmp_path)]
    assert found == [3, 3, 3]
    assert torch.get_num_threads() == before


def test_selected_cases_and_seeds():
    assert [name for name, *_ in STUDY.runs(["t*"])] == ["two/2"]
    assert [name for name, *_ in STUDY.runs(seeds=[1])] == ["one/1"]
    assert [name for name, *_ in replace(STUDY, seeds=(), seeds_of={}).runs()] == ["one", "two"]
    with pytest.raises(tc.errors.ConfigError, match=r"no case 'tow'\. Did you mean 'two'"):
        list(STUDY.runs(["tow"]))
    with pytest.raises(tc.errors.ConfigError, match=r"seeds \[1, 2\]; got \[7\]"):
        list(STUDY.runs(seeds=[7]))
    with pytest.raises(tc.errors.ConfigError, match="Did you mean 'steps'"):
        STUDY.override({"step": 3})


def test_the_help_shows_names_with_a_percent_sign(capsys):
    with pytest.raises(SystemExit, match="0"):
        studies.main(replace(STUDY, cases={"at 5 %, long": STUDY.cases["two"]}, seeds_of={}), ["--help"])
    assert "of at 5 %, long" in " ".join(capsys.readouterr().out.split())


def test_the_command_line_lists_runs_and_reports(tmp_path, capsys):
    words = ["--results", str(tmp_path / "r.json"), "--work", str(tmp_path / "work")]
    studies.main(STUDY, [*words, "--only", "two"])
    assert capsys.readouterr().out.startswith('two/2: {"value": 8.0')
    studies.main(STUDY, [*words, "--list"])
    assert capsys.readouterr().out.splitlines()[1:] == ["missing: one/1", "missing: one/2"]
    studies.main(STUDY, [*words, "--report"])
    page = capsys.readouterr().out
    assert page.startswith("## Squares\n\nSquares of seeds.\n\n| quantity | target | measured | verdict |")
    assert "| two/2 | 8 |" in page
    with pytest.raises(SystemExit):
        studies.main(STUDY, [*words, "--set", "steps=5"])
    assert "steps was 2 and is 5" in capsys.readouterr().err


def test_a_file_that_holds_no_results_is_refused(tmp_path):
    (tmp_path / "r.json").write_text(json.dumps({"runs": {"one/1": {"value": 3}}}))
    with pytest.raises(tc.errors.DataError, match="not a result file"):
        studies.Results(tmp_path / "r.json").read()


def test_figures_with_intervals():
    assert studies.rate({"rate": 0.5, "low": 0.25, "high": 0.75}) == "50.0 % [25.0, 75.0]"
    assert studies.rate({"mean": 0.5, "low": 0.25, "high": 0.75}) == "50.0 % [25.0, 75.0]"
    assert studies.mean({"mean": 0.5, "low": -0.25, "high": 0.75}, 1) == "0.5 [-0.2, 0.8]"
    assert studies.points({"mean": 0.014, "low": -0.002, "high": 0.03}) == "+1.4 [-0.2, +3.0]"


def test_columns_are_templates_or_functions_of_the_values():
    rows = [{"name": "first", "seconds": {"training": 1.26}}]
    cells = {
        "run": "{name}",
        "s": "{seconds[training]:.1f}",
        "ms": lambda row: f"{1000 * row['seconds']['training']:g}",
    }
    assert studies.columns(cells, rows) == studies.table(("run", "s", "ms"), [("first", "1.3", "1260")])


def test_targets_with_a_limit_include_it():
    assert [studies.at_most("ratio", value, 4).verdict for value in (3.9, 4.0, 4.1)] == ["met", "met", "missed"]
    assert [studies.at_least("ratio", value, 4).verdict for value in (3.9, 4.0, 4.1)] == ["missed", "met", "met"]
    assert studies.at_least("ratio", 5.0, 4, "{:.1f}x", "{:g}x of another") == studies.Target(
        "ratio", "4x of another", "5.0x", "met"
    )


def test_columns_fill_templates_from_runs():
    share, number = {"rate": 0.5, "low": 0.25, "high": 0.75}, {"mean": 0.1234, "low": 0.1, "high": 0.2}
    runs = {
        "a/0": studies.RunResult({"steps": 3}, {"found": {"x": share}, "error": number}, {"cpu": "one"}),
        "a/1": studies.RunResult({"steps": 4}, {"error": {**number, "mean": 0.5}}, {"cpu": "two"}),
    }
    cells = {
        "": "{case}, {seed}",
        "x": "{found[x]:rate}",
        "error": "{error:mean3}; {error:points}",
        "of": "{steps:.1f}",
    }
    assert studies.columns(cells, runs).splitlines()[2:] == [
        "| a, 0 | 50.0 % [25.0, 75.0] | 0.123 [0.100, 0.200]; +12.3 [+10.0, +20.0] | 3.0 |",
        "| a, 1 |  | 0.500 [0.100, 0.200]; +50.0 [+10.0, +20.0] | 4.0 |",
    ]
    with pytest.raises(tc.errors.ConfigError, match=r"no row has the values of '\{fund\[x\]\}'"):
        studies.columns({"x": "{fund[x]}"}, runs)


def test_costs_are_compared_above_the_first_points():
    first, second = (tc.statistics.Curve([1.0, 2.0, 4.0], [[0.1, 0.5, 0.9]]) for _ in range(2))
    assert studies.relative_cost(first, second, 0.5) == "1x [1x, 1x]"
    assert studies.relative_cost(first, second, 0.1) == "before the first point"
