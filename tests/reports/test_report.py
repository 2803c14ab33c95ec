import io
import json
import re
from html.parser import HTMLParser

import matplotlib
import numpy as np
import pytest
from PIL import Image

import tacit as tc
import tacit.evaluation as ev
from evaluation.line import Still, Walker
from probing.exact import Exact, recordings
from tacit.data import from_episodes
from tacit.envs import TwoRooms
from tacit.errors import ConfigError, DataError
from tacit.testing.worlds import LineWorld
from tacit.types import Context, Episode


class Page(HTMLParser):
    """Collects what a page asks for and checks that its tags are closed."""

    VOID = frozenset({"meta", "link", "img", "source", "br"})

    def __init__(self):
        super().__init__()
        self.open, self.addresses, self.images, self.text = [], [], [], []

    def handle_starttag(self, tag, attrs):
        named = dict(attrs)
        self.addresses += [named[key] for key in ("href", "src", "srcset") if key in named]
        if tag == "img":
            self.images.append(named)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(scope="module")
def run():
    env = TwoRooms()
    return ev.closed_loop(ev.ExpertActor(env), env, episodes=6, record_frames=3)


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_replaced_tasks_are_mentioned_where_there_were_any(share):
    met = ev.closed_loop(Walker(), LineWorld(solved_share=share), 20)
    section = tc.reports.planning_section({"success": met, "random": met})
    sentence = f"{met.replaced} drawn tasks were solved at their start and replaced."
    assert (met.replaced > 0) == (share > 0) == (sentence in section.text)
    assert ("replaced" in section.text) == (share > 0)


@pytest.fixture(scope="module")
def written(tmp_path_factory, run):
    train, held_out = recordings(10).split(0.7, seed=0)
    report = tc.probing.probe(Exact(), fit_on=train, test_on=held_out, frames=100)
    forecast = ev.open_loop(Exact(), held_out, horizon=3, windows=50)
    rows = [{"step": k, "loss": 9.0 / (k + 1), "loss/sigreg": "inf" if k == 3 else 1.5} for k in range(30)]
    sections = [
        tc.reports.training_section(rows),
        tc.reports.probe_section([report]),
        tc.reports.open_loop_section(forecast, tc.statistics.Estimate(0.9, 0.8, 1.0, 20)),
        tc.reports.planning_section({"success": run, "random": run}, {"success": "<expert>"}, extent=(0, 64, 64, 0)),
    ]
    planning = tc.reports.planning_record({"success": run})
    record = tc.reports.new_record("demo", seeds={"tasks": 1}, config={}, planning=planning)
    folder = tmp_path_factory.mktemp("report") / "new"
    facts = [tc.reports.Fact("100 %", "solved", "six & more")]
    return tc.reports.write_report(folder, record, sections, title="Two Rooms", lead="A <lead>.", facts=facts), record


def test_the_page_is_complete_and_loads_no_other_file(written):
    path, record = written
    page = Page()
    page.feed(path.read_text())
    assert page.open == []
    outside = [a for a in page.addresses if not a.startswith(("data:", "#part-"))]
    assert outside == ["report.json"]
    assert not re.search(r"https?://|//cdn|@import|url\(", re.sub(r'"data:[^"]*"', "", path.read_text()))
    assert json.loads((path.parent / "report.json").read_text()) == record
    assert sorted(p.name for p in path.parent.iterdir()) == ["index.html", "report.json"]


def test_every_figure_has_a_description(written):
    page = Page()
    page.feed(written[0].read_text())
    assert len(page.images) == 7
    assert all(len(image["alt"]) > 30 for image in page.images)
    text = "".join(page.text)
    assert "<expert>" in text
    assert "six & more" in text
    assert "A <lead>." in text


def test_a_broken_record_writes_nothing(tmp_path, written):
    with pytest.raises(DataError, match="needs the entry"):
        tc.reports.write_report(tmp_path / "none", {"schema": "tacit-report-1"}, [], title="x")
    assert not (tmp_path / "none").exists()


def test_an_interrupted_write_leaves_the_old_report(tmp_path, written, monkeypatch):
    record = written[1]
    path = tc.reports.write_report(tmp_path, record, [], title="old")
    monkeypatch.setattr("os.fsync", lambda handle: (_ for _ in ()).throw(OSError("no space left")))
    with pytest.raises(OSError, match="no space"):
        tc.reports.write_report(tmp_path, {**record, "kind": "new"}, [], title="new")
    assert "<h1>old</h1>" in path.read_text()
    assert json.loads((tmp_path / "report.json").read_text())["kind"] == "demo"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["index.html", "report.json"]


def test_figures_are_reproducible_and_change_no_global_setting(run):
    before = dict(matplotlib.rcParams)
    first, second = (tc.reports.figures.distances({"expert": run}) for _ in range(2))
    assert first.data == second.data
    assert dict(matplotlib.rcParams) == before


def test_the_animation_has_a_frame_for_every_other_step_and_a_still(run):
    figure = tc.reports.figures.animation(run, tasks=2, every=10)
    with Image.open(io.BytesIO(figure.data)) as animation:
        assert animation.n_frames == 11
    with Image.open(io.BytesIO(figure.still)) as still:
        assert still.format == "PNG"
    with pytest.raises(ConfigError, match="record_frames=4"):
        tc.reports.figures.animation(ev.closed_loop(Still(), LineWorld(), 3))


def test_paths_need_recorded_frames(run):
    assert tc.reports.figures.paths(run, (0, 64, 64, 0)).kind == "png"
    with pytest.raises(ConfigError, match="record_frames=4"):
        tc.reports.figures.paths(ev.closed_loop(Walker(), LineWorld(), 3), (0, 1, 1, 0))


class Corner(Exact):
    """Its latent is the colour of the top left pixel; each block adds the sum of its first actions."""

    def __init__(self, spec):
        super().__init__(spec, frameskip=2, size=1)
        self.config.inputs = ("pixels",)

    def encode(self, observation):
        return observation["pixels"][..., :1, 0, 0].float()

    def rollout(self, context, actions):
        latents, past_actions = context.latents, context.blocks
        return super().rollout(Context(latents, past_actions), actions.unflatten(-1, (2, 2))[..., :1].flatten(-2))


def test_imagined_latents_are_displayed_as_the_nearest_recorded_frames():
    spec = TwoRooms(size=16).spec
    rng = np.random.default_rng(0)

    def grey(levels):
        frames = np.broadcast_to(np.array(levels, np.uint8)[:, None, None, None], (len(levels), 3, 16, 16))
        return {"pixels": np.ascontiguousarray(frames)}

    moves = [rng.choice([-1.0, 1.0], (6, 2)).astype(np.float32) for _ in range(5)]
    walks = [100 + np.concatenate([[0], m[:, 0].cumsum()]) for m in moves]
    held_out = from_episodes([Episode(grey(w), m) for w, m in zip(walks, moves, strict=True)], spec)
    bank = from_episodes([Episode(grey(range(40, 160, 2)), np.zeros((59, 2), np.float32))], spec)
    result = ev.imagine(Corner(spec), bank, held_out, horizon=2, examples=3, frames=5000)
    assert result.recorded.shape == result.imagined.shape == (3, 3, 3, 16, 16)
    assert set(np.unique(result.imagined)) <= set(range(40, 160, 2))
    difference = result.imagined[:, :, 0, 0, 0].astype(int) - result.recorded[:, :, 0, 0, 0]
    assert np.abs(difference).max() <= 1 + 2 * (result.bank < 60)
    assert tc.reports.figures.rollouts(result).kind == "png"
    with pytest.raises(ConfigError, match="needs a model of pixels"):
        ev.imagine(Exact(recordings(2).spec), recordings(2), recordings(2, seed=1))
