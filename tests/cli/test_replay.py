"""The verb that repeats an audit log."""

import tacit as tc
from tacit.cli import main


def run(*words):
    try:
        main(words)
    except SystemExit as stopped:
        return stopped.code or 0
    return 0


def test_a_log_is_repeated_and_a_changed_one_is_refused(tmp_path, capsys):
    folder = tmp_path / "audit"
    agent = tc.recipes.pretrained("two_rooms")
    with tc.audit.Log(folder, frames=True) as log:
        env = tc.envs.TwoRooms(num_envs=1)
        tc.evaluation.closed_loop(tc.audit.Audited(agent, log), env, episodes=1, seed=5, progress=False)
    assert run("replay", str(folder)) == 0
    assert "100 acts, 20 of them with a plan: 100 identical" in capsys.readouterr().out
    assert run("replay", str(folder), "--frames", "--agent", str(next((folder / "agents").iterdir()))) == 0
    assert "100 identical" in capsys.readouterr().out
    segment = folder / "000000.jsonl"
    segment.write_bytes(segment.read_bytes().replace(b'"decision":["act"]', b'"decision":["pat"]', 1))
    assert run("replay", str(folder)) == 1
    assert "broken chain: " in capsys.readouterr().out
