"""Tables that notebooks show: well-formed, escaped, without scripts, and with the numbers of the result."""

from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from evaluation.line import Walker
from evaluation.test_episode_scores import Counting, Pushing
from probing.exact import Exact, recordings
from tacit._html import html_table
from tacit.evaluation import closed_loop, open_loop, score_episodes
from tacit.probing import Features, compare, probe
from tacit.testing.worlds import LineWorld
from tacit.training import TrainingReport


class Cells(HTMLParser):
    """Rows of the cells of a table; raises where a tag is not closed or not expected."""

    def __init__(self, text):
        super().__init__()
        self.rows, self._open = [], []
        self.feed(text)
        assert not self._open

    def handle_starttag(self, tag, attrs):
        assert tag in {"table", "caption", "thead", "tbody", "tr", "th", "td"}
        self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("th", "td"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if self._open[-1] != "caption":
            self.rows[-1][-1] += data


def comparison():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(60, 2))
    targets = {"<b>": values[:, :1], "sign": (values[:, 0] > 0).astype(int)}
    whole = Features(values, targets)
    return {"model": (whole.select(np.arange(40)), whole.select(np.arange(40, 60)))}


def report():
    fit_on, test_on = recordings(30).split(0.7, seed=0)
    return probe(Exact(), fit_on=fit_on, test_on=test_on, frames=200)


def training():
    return TrainingReport(Path("runs/x"), 20, 1.0, ({"step": 1, "loss/<x>": 0.5}, {"step": 20, "loss/<x>": 0.25}))


RESULTS = {
    "closed loop": (lambda: closed_loop(Walker(), LineWorld(), episodes=4), ["by the rules", "100.0 %"]),
    "open loop": (lambda: open_loop(Exact(), recordings(6), 2, windows=40), ["1", "0.0000"]),
    "episodes": (lambda: score_episodes(Pushing(), Counting(), episodes=3, steps=8), ["return", "3.17 [2, 4]"]),
    "comparison": (lambda: compare(comparison(), "<b>"), ["model", "Linear", "1.000"]),
    "few labels": (lambda: compare(comparison(), "sign", shots=(1,)), ["model", "1 labels"]),
    "training": (training, ["loss/<x>", "0.5", "0.25"]),
    "probe": (report, ["R², linear probe", "1.0000"]),
}


@pytest.mark.parametrize("name", RESULTS)
def test_a_notebook_shows_a_table_of_the_result(name):
    make, row = RESULTS[name]
    cells = Cells(make()._repr_html_()).rows
    assert len({len(one) for one in cells}) == 1
    assert row in [one[: len(row)] for one in cells]


def test_names_of_a_user_are_escaped():
    text = html_table("<script>", ["<i>", "&"], [("'<b>", '"')])
    assert "<script>" not in text and "<b>" not in text
    assert Cells(text).rows == [["<i>", "&"], ["'<b>", '"']]
    assert "<b>" not in compare(comparison(), "<b>")._repr_html_()
