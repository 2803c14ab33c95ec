"""tacit stress: a report that goes on where it stopped."""

import json

import tacit as tc
from tacit.cli import main


def run(*words):
    try:
        main(words)
    except SystemExit as stopped:
        return stopped.code or 0
    return 0


def test_a_test_writes_its_report_and_goes_on(capsys, tmp_path) -> None:
    place = tmp_path / "agent"
    tc.recipes.pretrained("two_rooms").save(place)
    words = ("stress", str(place), "--env", "two_rooms", "--episodes", "4", "--device", "cpu", "--changes", "hue")
    assert run(*words, "--severities", "1") == 0
    assert "hue 1" in capsys.readouterr().out
    assert run(*words, "--severities", "1", "5") == 0
    record = json.loads((place / "stress" / "report.json").read_text())
    assert [one["case"]["severity"] for one in record["stress"]["results"]] == [1, 5]
    assert "Severities" in (place / "stress" / "index.html").read_text()
    assert run(*words, "--seed", "9") == 1
    assert "holds a stress test with seed 1; got 9" in capsys.readouterr().err
