"""The page on a dataset: complete, safe, and one file."""

import base64
import re
import subprocess
import sys

import numpy as np
import pytest

import tacit as tc
from tacit.errors import ConfigError


@pytest.fixture(scope="module")
def rooms(tmp_path_factory):
    place = tmp_path_factory.mktemp("look") / "rooms"
    tc.collect("two_rooms", episodes=6, steps=20, seed=0, to=place)
    return place


def test_a_page_has_thumbnails_distributions_and_findings(rooms, tmp_path):
    episodes = tc.data.open(rooms)
    place = tmp_path / "a" / "report.html"
    findings = [tc.data.Finding("f", 2, "pixels", "<b>9 equal frames", "warning", "frozen", (3, 9), "Leave them out.")]
    written = tc.reports.write_dataset_report(episodes, place, findings=findings, title="A & B")
    text = written.read_text()
    assert "A &amp; B" in text and "&lt;b&gt;9 equal frames" in text and "<b>9" not in text
    assert "<td>3 to 9</td>" in text and "frozen" in text and "Leave them out." in text
    assert text.count("data:image/png") == 1 and text.count("data:image/svg") == 2 and "<script" not in text
    assert not re.findall(r"(?:src|href)=\"(?!data:|#)", text) and episodes.hash() in text
    assert str(tmp_path) not in text


def test_a_page_of_a_log_names_its_columns(tmp_path):
    rng = np.random.default_rng(0)
    rows = [f"{row},{rng.normal():.3f},{rng.uniform():.3f}" for row in range(300)]
    (tmp_path / "log.csv").write_text("\n".join(["time,flow,valve", "s,kg/h,%", *rows]))
    episodes = tc.data.open(tmp_path / "log.csv", actions=("valve",), low=0, high=1)
    text = tc.reports.write_dataset_report(episodes, tmp_path / "page.html").read_text()
    drawn = "".join(base64.b64decode(one).decode() for one in re.findall(r"data:image/svg\+xml;base64,([^\"]+)", text))
    assert re.findall(r"<h2>(.*?)</h2>", text) == ["Findings", "Distributions"] and "Nothing wrong" in text
    assert drawn.count("flow [kg/h]") == 1 and drawn.count("valve [%]") == 1


def test_another_ending_is_refused(rooms, tmp_path):
    with pytest.raises(ConfigError, match=r"expected a name that ends in .html, got 'report.pdf'"):
        tc.reports.write_dataset_report(tc.data.open(rooms), tmp_path / "report.pdf")


def test_the_command_line_writes_the_page(rooms, tmp_path):
    command = [sys.executable, "-m", "tacit", "data", "look", str(rooms), "--out", "page.html"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0 and "page.html: written, with 0 findings" in done.stdout, done.stderr
    assert "<h1>rooms</h1>" in (tmp_path / "page.html").read_text()
