"""Roles of the columns of a log: exogenous inputs, targets, slow tags, units, pieces, and the mapping in TOML."""

import json
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tacit as tc
from tacit.errors import ConfigError, DataError, SpecError

NAMES = ("time", "level", "temperature", "valve", "ambient", "lab", "mode")


def table(rows=40, seed=0):
    rng = np.random.default_rng(seed)
    return {
        "time": np.arange(rows) * 60.0,
        "level": rng.normal(size=rows),
        "temperature": rng.normal(size=rows),
        "valve": rng.uniform(0, 1, rows),
        "ambient": rng.normal(size=rows),
        "lab": rng.normal(size=rows),
        "mode": np.arange(rows) // 10,
    }


def write(path: Path, columns, units=None) -> Path:
    names = list(columns)
    lines = [",".join(names)] + ([",".join(units)] if units else [])
    lines += [",".join("" if v is None else f"{v}" for v in row) for row in zip(*columns.values(), strict=True)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


ROLES = {
    "columns": ("level", "temperature"),
    "actions": ("valve",),
    "exogenous": ("ambient",),
    "targets": ("lab",),
    "labels": ("mode",),
    "low": 0.0,
    "high": 1.0,
}


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_each_column_goes_where_its_role_says(tmp_path, kind):
    columns = table()
    path = write(tmp_path / "log.csv", columns)
    if kind == "parquet":
        path = tmp_path / "log.parquet"
        pq.write_table(pa.table(columns), path)
    episodes = tc.data.open(path, **ROLES)
    rate = 1 / 60
    assert episodes.spec.modalities == {
        "signal": tc.Modality("series", (2,), rate),
        "exogenous": tc.Modality("series", (1,), rate),
    }
    assert episodes.spec.modalities["signal"].names == ("level", "temperature")
    assert episodes.spec.modalities["exogenous"].names == ("ambient",) and episodes.spec.action.names == ("valve",)
    (episode,) = episodes
    expected = np.stack([columns["level"], columns["temperature"]], axis=1)
    np.testing.assert_allclose(episode.observation["signal"], expected, rtol=1e-6)
    np.testing.assert_allclose(episode.observation["exogenous"][:, 0], columns["ambient"], rtol=1e-6)
    np.testing.assert_allclose(episode.action[:, 0], columns["valve"][:-1], rtol=1e-6)
    np.testing.assert_allclose(episode.labels["lab"], columns["lab"])
    np.testing.assert_array_equal(episode.labels["mode"], columns["mode"])
    assert tc.data.check(path, **ROLES) == []


def test_whole_targets_are_numbers_and_whole_labels_are_classes(tmp_path):
    path = write(tmp_path / "log.csv", {"time": range(6), "x": range(6), "a": [0, 1] * 3, "b": [0, 1] * 3})
    (episode,) = tc.data.open(path, columns=("x",), targets=("a",), labels=("b",))
    assert episode.labels["a"].dtype == np.float64 and episode.labels["b"].dtype == np.int64


def test_only_one_modality_can_be_read(tmp_path):
    episodes = tc.data.open(write(tmp_path / "log.csv", table()), **ROLES)
    assert list(episodes.read(0, ("exogenous",)).observation) == ["exogenous"]
    clip = episodes.clips(3).batch(0, 0, 4)
    assert clip.observation["exogenous"].shape == (4, 3, 1, 1)


def test_a_model_reads_exogenous_inputs_and_no_plan_changes_them(tmp_path):
    episodes = tc.data.open(write(tmp_path / "log.csv", table(200)), **ROLES)
    model = tc.models.WorldModel.for_spec(episodes.spec, latent=8)
    clip = episodes.clips(3).batch(0, 0, 4)
    changed = {**clip.observation, "exogenous": clip.observation["exogenous"] + 1}
    assert not np.allclose(model.encode(clip.observation).detach(), model.encode(changed).detach())
    assert model.spec.action.size == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"columns": ("x",), "actions": ("x",)}, "column 'x' has two roles, channel of the signal and action. Give"),
        ({"exogenous": ("x",), "targets": ("x",)}, "column 'x' has two roles, exogenous input and target"),
        ({"time": "x", "labels": ("x",)}, "column 'x' has two roles, time and label"),
        ({"columns": ("x", "x")}, "column 'x' is named twice as channel of the signal"),
        ({"episode": "x", "targets": ("x",)}, "column 'x' tells episodes apart"),
        ({"period": {"x": 0}}, "period is a positive number of seconds for each column; got 0 for 'x'"),
        ({"period": {"x": 1.0}, "fill": {"x": 0.0}}, "column 'x' has a period, .* and a number in fill"),
        ({"period": {"x": 1.0}, "time": "x"}, "column 'x' has a period, but it is no measurement"),
        ({"stale_after": 0.5}, "stale_after is a number of update periods, at least 1; got 0.5"),
        ({"time_zone": "Europe/Berlim"}, "time_zone is a name of the time zone database"),
        ({"longest": -1.0}, "longest is a positive number in seconds"),
        ({"targets": "x"}, "targets is a sequence of names"),
    ],
)
def test_options_that_contradict_each_other_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        tc.data.readers.Signals(**options)


@pytest.mark.parametrize("option", ["exogenous", "targets"])
def test_an_unknown_column_names_the_nearest(tmp_path, option):
    path = write(tmp_path / "log.csv", table())
    with pytest.raises(DataError, match=r"field 'ambiant': there is no such column. Did you mean 'ambient'\?"):
        tc.data.open(path, columns=("level",), **{option: ("ambiant",)})


def test_slow_columns_are_held_and_marked_where_they_are_stale(tmp_path):
    rows = 20
    slow = [None] * rows
    for row in (0, 4, 8, 18):  # every 4 minutes, and then not for 10
        slow[row] = float(row)
    lab = [1.0] * 5 + [2.0] * 15  # held by the historian: it changes once, at row 5
    columns = {"time": np.arange(rows) * 60.0, "level": np.arange(rows), "slow": slow, "lab": lab}
    path = write(tmp_path / "log.csv", columns)
    options = {"columns": ("level", "slow"), "targets": ("lab",), "period": {"lab": 120.0, "slow": 240.0}}
    with pytest.raises(DataError, match="field 'slow': line 3, row 1"):
        tc.data.open(path, columns=("level", "slow"))
    episodes = tc.data.open(path, stale_after=1.5, **options)
    (episode,) = episodes
    assert episodes.spec.modalities["stale"].names == ("slow",) and episodes.labels == ("lab", "stale.lab")
    np.testing.assert_array_equal(episode.observation["signal"][:, 1], [0] * 4 + [4] * 4 + [8] * 10 + [18] * 2)
    age = np.arange(rows) - np.array([0] * 4 + [4] * 4 + [8] * 10 + [18] * 2)
    np.testing.assert_array_equal(episode.observation["stale"][:, 0], age * 60 > 360)
    age = np.arange(rows) - np.array([0] * 5 + [5] * 15)
    np.testing.assert_array_equal(episode.labels["stale.lab"], age * 60 > 180)
    assert tc.data.check(path, stale_after=1.5, **options) == []
    assert not tc.data.open(path, stale_after=100.0, **options)[0].observation["stale"].any()


def test_what_is_missing_before_the_first_update_stays_missing(tmp_path):
    path = write(tmp_path / "log.csv", {"time": range(6), "x": range(6), "slow": [None, None, 1.0, None, 2.0, None]})
    with pytest.raises(DataError, match=r"field 'slow': line 2, row 0 \(from 0\) has no finite number"):
        tc.data.open(path, period={"slow": 2.0})
    with pytest.warns(UserWarning, match="left out 2 of 6 rows"):
        episodes = tc.data.open(path, period={"slow": 2.0}, gaps="split")
    np.testing.assert_array_equal(episodes[0].observation["signal"][:, 1], [1, 1, 2, 2])


def test_rows_that_are_filled_in_grow_old(tmp_path):
    columns = {"time": [0, 1, 2, 7, 8], "x": range(5), "slow": [1.0, 2.0, 3.0, 4.0, 5.0]}
    path = write(tmp_path / "log.csv", columns)
    with pytest.warns(UserWarning, match="filled in"):
        episodes = tc.data.open(path, period={"slow": 1.0}, gaps="interpolate")
    np.testing.assert_array_equal(episodes[0].observation["stale"][:, 0], [0, 0, 0, 0, 0, 0, 1, 0, 0])


def test_a_period_of_a_column_without_a_role_is_refused(tmp_path):
    path = write(tmp_path / "log.csv", table())
    with pytest.raises(DataError, match="field 'lab': the column has a period, but no role"):
        tc.data.open(path, columns=("level",), period={"lab": 60.0})


UNITS = ["s", "m", "[degC]", "%", "°C", "kg/m^3", "-"]


def test_units_below_the_names_are_in_the_names_of_components(tmp_path):
    episodes = tc.data.open(write(tmp_path / "log.csv", table(), UNITS), **ROLES)
    assert episodes.spec.modalities["signal"].names == ("level [m]", "temperature [degC]")
    assert episodes.spec.action.names == ("valve [%]",)
    plain = tc.data.open(write(tmp_path / "plain.csv", table()), **ROLES)
    assert plain.spec == episodes.spec


@pytest.mark.parametrize("unit", ["degC//h", "kg/", "m3)", "m^^3", "a=b"])
def test_a_cell_that_is_no_unit_is_named_with_its_line(tmp_path, unit):
    path = write(tmp_path / "log.csv", table(), [*UNITS[:2], unit, *UNITS[3:]])
    with pytest.raises(DataError, match=r"log.csv, field 'temperature': expected a unit such as .* in line 2"):
        tc.data.open(path, **ROLES)


@pytest.mark.parametrize(
    "unit", ["m^3/h", "Nm3/h", "kJ/(kg K)", "mol·l⁻¹", "1/min", "µS/cm", "W/m²", "barg", "%", "10^6 kg", "°C", "m s-1"]
)
def test_common_units_are_read(tmp_path, unit):
    episodes = tc.data.open(write(tmp_path / "log.csv", table(), [*UNITS[:2], unit, *UNITS[3:]]), **ROLES)
    assert episodes.spec.modalities["signal"].names[1] == f"temperature [{unit}]"


def test_files_of_different_units_are_refused(tmp_path):
    write(tmp_path / "a.csv", table(), UNITS)
    write(tmp_path / "b.csv", table(), [*UNITS[:2], "degF", *UNITS[3:]])
    with pytest.raises(DataError, match=r"b.csv, field 'temperature': expected the unit '\[degC\]', as in a.csv; got"):
        tc.data.open(tmp_path, **ROLES)


def test_an_unknown_unit_of_time_is_refused(tmp_path):
    path = write(tmp_path / "log.csv", {"time [fortnights]": range(5), "x": range(5)})
    with pytest.raises(DataError, match=r"expected a unit of time, one of .*; got 'fortnights'"):
        tc.data.open(path)


def test_names_of_components_change_no_hash_and_survive_hdf5(tmp_path):
    pytest.importorskip("h5py")
    spec = tc.Spec({"x": tc.Modality("vector", (2,))}, tc.Box((0.0,), (1.0,)))
    named = tc.Spec({"x": tc.Modality("vector", (2,), names=("a [m]", "b"))}, tc.Box((0.0,), (1.0,), names=("u",)))
    episode = tc.Episode({"x": np.ones((3, 2), np.float32)}, np.ones((2, 1), np.float32))
    first, second = (tc.data.from_episodes([episode], one) for one in (spec, named))
    assert spec == named and hash(spec.action) == hash(named.action) and first.hash() == second.hash()
    tc.data.save(second, tmp_path / "x.h5", "hdf5")
    assert tc.data.open(tmp_path / "x.h5").spec.modalities["x"].names == ("a [m]", "b")
    with pytest.raises(SpecError, match="names has one for each component"):
        tc.Modality("vector", (2,), names=("a",))
    with pytest.raises(SpecError, match="Box needs a name for each of 1 components"):
        tc.Box((0.0,), (1.0,), names=("a", "b"))


def test_long_stretches_are_cut_into_pieces_of_one_group(tmp_path):
    columns = table(40)
    path = write(tmp_path / "log.csv", columns)
    pieces = tc.data.open(path, longest=900.0, **ROLES)
    assert pieces.lengths.tolist() == [15, 15, 10] and len(set(pieces.groups)) == 1 and pieces.groups[0]
    joined = np.concatenate([episode.observation["signal"] for episode in pieces])
    np.testing.assert_allclose(joined[:, 0], columns["level"], rtol=1e-6)
    with pytest.raises(ConfigError, match="longest is at least two observations, 120 seconds; got 90"):
        tc.data.open(path, longest=90.0, **ROLES)


MAPPING = """
[roles]
time = "time"
level = "observation"
temperature = "observation"
valve = "action"
ambient = "exogenous"
lab = "target"
mode = "label"

[period]
lab = 60

[low]
valve = 0

[high]
valve = 1

[options]
longest = 900
"""


def test_a_mapping_is_the_same_as_its_options(tmp_path):
    path = write(tmp_path / "log.csv", table())
    (tmp_path / "log.toml").write_text(MAPPING)
    mapped = tc.data.open(path, mapping=tmp_path / "log.toml")
    direct = tc.data.open(path, period={"lab": 60.0}, longest=900.0, time="time", **ROLES)
    assert mapped.spec == direct.spec and mapped.labels == direct.labels and len(mapped) == 3
    np.testing.assert_array_equal(mapped[1].observation["signal"], direct[1].observation["signal"])
    assert len(tc.data.open(path, mapping=str(tmp_path / "log.toml"), longest=1200.0)) == 2
    assert tc.data.info(path, mapping=tmp_path / "log.toml").episodes == 3


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"exogenous"', '"exogenus"', "the role of column 'ambient' is one of .*; got 'exogenus'. Did you mean 'exog"),
        ('"label"', '"time"', "only one column can be the time; got 'time' and 'mode'"),
        ("[period]", "[periods]", r"log.toml: mapping has no option 'periods'. Did you mean 'period'\?"),
        ("[low]\nvalve", "[low]\nvalv", r"low has 'valv', which is no action in roles. Did you mean 'valve'\?"),
        ("longest = 900", "longst = 900", r"Signals has no option 'longst'. Did you mean 'longest'\?"),
        ("longest = 900", 'columns = ["a"]', r"options has 'columns', which belongs into the table \[roles\]"),
        ('ambient = "exogenous"', 'ambient = "exogenous"\nambient = "label"', "A column can have one role only"),
        ("lab = 60", 'lab = "1 min"', "mapping.period.lab must be"),
        ('level = "observation"\ntemperature = "observation"', "", "expected a column with the role 'observation'"),
        ('ambient = "exogenous"', 'ambiant = "exogenous"', r"no such column. Did you mean 'ambient'\?"),
        ("[roles]", "[roles", "log.toml is no TOML: .*line"),
    ],
)
def test_a_wrong_mapping_is_refused_with_its_place(tmp_path, old, new, message):
    path = write(tmp_path / "log.csv", table())
    assert old in MAPPING
    (tmp_path / "log.toml").write_text(MAPPING.replace(old, new))
    with pytest.raises((ConfigError, DataError), match=message):
        tc.data.open(path, mapping=tmp_path / "log.toml")


def test_a_column_that_the_mapping_leaves_out_is_not_read(tmp_path):
    path = write(tmp_path / "log.csv", table())
    (tmp_path / "log.toml").write_text('[roles]\ntime = "time"\nlevel = "observation"\n')
    assert tc.data.open(path, mapping=tmp_path / "log.toml").spec.modalities["signal"].names == ("level",)


def history(rows=600, seed=0):
    rng = np.random.default_rng(seed)
    slow = [round(float(x), 3) if row % 20 == 0 else None for row, x in enumerate(rng.normal(size=rows))]
    return {
        "timestamp": [f"2026-03-01 {row // 60:02d}:{row % 60:02d}:00" for row in range(rows)],
        "TIC101.PV": rng.normal(size=rows).round(4),
        "TIC101.SP": np.repeat(rng.normal(size=rows // 60), 60).round(3),
        "feed_valve": rng.uniform(0, 100, rows).round(2),
        "ambient temperature": rng.normal(size=rows).round(3),
        "speed": np.repeat(rng.uniform(0, 9, rows // 50), 50).round(3),
        "density": slow,
        "shift": np.arange(rows) // 200,
        "site": ["north"] * rows,
        "pressure_max": [25] * rows,
        "note": [f"text {row}" for row in range(rows)],
        "empty": [None] * rows,
    }


@pytest.mark.parametrize("seed", range(5))
def test_a_suggestion_opens_with_the_roles_that_are_meant(tmp_path, seed):
    import tomllib

    path = write(tmp_path / "plant.csv", history(seed=seed))
    text = tc.data.suggest_mapping(path)
    found = tomllib.loads(text)
    assert found["roles"] == {
        "timestamp": "time",
        "TIC101.PV": "observation",
        "TIC101.SP": "action",
        "feed_valve": "action",
        "ambient temperature": "exogenous",
        "speed": "action",
        "density": "observation",
        "shift": "label",
        "site": "skip",
        "pressure_max": "skip",
        "note": "skip",
        "empty": "skip",
    }
    assert found["period"] == {"density": 1200.0}
    lines = text[text.index("[roles]") : text.index("[period]")].strip().splitlines()[1:]
    assert len(lines) == 12 and all("  # " in line for line in lines)
    (tmp_path / "plant.toml").write_text(text)
    with pytest.warns(UserWarning, match="bounds of the actions"):
        episodes = tc.data.open(path, mapping=tmp_path / "plant.toml")
    assert len(episodes) == 1 and episodes.spec.action.size == 3


def test_names_of_any_kind_are_quoted(tmp_path):
    path = write(tmp_path / "a.csv", {"time": range(9), 'a "b" \\ [m].x': np.sin(range(9)), "µ": np.cos(range(9))})
    (tmp_path / "a.toml").write_text(tc.data.suggest_mapping(path), encoding="utf-8")
    assert tc.data.open(path, mapping=tmp_path / "a.toml").spec.modalities["signal"].shape == (2,)


def test_the_command_line_writes_a_suggestion_once(tmp_path):
    write(tmp_path / "plant.csv", history())
    command = [sys.executable, "-m", "tacit", "data", "suggest", "plant.csv", "--to", "plant.toml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0 and "Next: tacit data info plant.csv --set mapping=plant.toml" in done.stdout
    assert (tmp_path / "plant.toml").read_text() == tc.data.suggest_mapping(tmp_path / "plant.csv")
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert again.returncode == 1 and "plant.toml exists" in again.stderr
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no log"):
        tc.data.suggest_mapping(tmp_path / "empty")


def test_options_of_the_command_line_are_json(tmp_path):
    write(tmp_path / "log.csv", table())
    words = [f"columns={json.dumps(['level'])}", f"period={json.dumps({'level': 60})}"]
    command = [
        sys.executable,
        "-m",
        "tacit",
        "data",
        "info",
        "log.csv",
        *(w for word in words for w in ("--set", word)),
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0 and "stale" in done.stdout, done.stderr


def daily(folder: Path, order):
    """Write a file a day, named so that the order of names is not that of times."""
    for name, day in order:
        times = [f"2026-03-{day:02d} 00:{minute:02d}:00" for minute in range(10)]
        write(folder / f"{name}.csv", {"time": times, "x": np.arange(10) + 100 * day})
    return folder


def first_values(episodes):
    return [int(episode.observation["signal"][0, 0]) for episode in episodes]


def test_a_split_by_time_holds_out_the_later_episodes(tmp_path):
    daily(tmp_path, [("a", 4), ("b", 1), ("c", 3), ("d", 2)])
    train, held_out = tc.data.open(tmp_path).split(0.75, by="time")
    assert first_values(train) == [100, 200, 300] and first_values(held_out) == [400]


def test_an_episode_that_overlaps_the_held_out_ones_is_in_no_part(tmp_path):
    daily(tmp_path, [("a", 1), ("b", 2), ("c", 3)])
    times = [f"2026-03-{day:02d} 00:00:00" for day in range(1, 4)]
    write(tmp_path / "d.csv", {"time": [f"2026-03-02 00:{minute:02d}:30" for minute in range(10)], "x": range(10)})
    episodes = tc.data.open(tmp_path)
    with pytest.warns(UserWarning, match="left out 1 of 4 episodes"):
        train, held_out = episodes.split(0.5, by="time")
    assert first_values(train) == [100] and first_values(held_out) == [0, 300] and times


def test_without_times_the_order_of_the_dataset_counts(tmp_path):
    pieces = tc.data.open(write(tmp_path / "log.csv", {"time": range(100), "x": range(100)}), longest=10.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train, held_out = pieces.split(0.8, by="time")
    assert first_values(train) == [0, 10, 20, 30, 40, 50, 60, 70] and first_values(held_out) == [80, 90]
    assert train.shared(held_out) == [] and len(set(train.groups)) == len(set(held_out.groups)) == 1
    assert train.groups[0] != held_out.groups[0] and pieces[:8].shared(pieces[8:]) == list(range(8))
    nested, _ = pieces[4:].split(0.5, by="time")
    assert first_values(nested) == [40, 50, 60]


def test_a_split_by_time_has_no_seed_and_every_other_needs_one(tmp_path):
    pieces = tc.data.open(write(tmp_path / "log.csv", {"time": range(100), "x": range(100)}), longest=10.0)
    with pytest.raises(ConfigError, match="draws nothing; leave out seed=0"):
        pieces.split(0.8, seed=0, by="time")
    with pytest.raises(ConfigError, match="needs a seed"):
        pieces.split(0.8, by="episode")
    with pytest.raises(ConfigError, match="fraction between 0 and 1"):
        pieces.split(1.0, by="time")
