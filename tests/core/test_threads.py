"""The number of CPU threads and how they wait."""

import os
import subprocess
import sys

import pytest
import torch
from torch import nn

from tacit._threads import POLICY, SMALL, computing, suited_threads, wait_passively


@pytest.fixture(autouse=True)
def _two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_the_number_is_restored_whatever_happens() -> None:
    with computing(1):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2
    with pytest.raises(RuntimeError), computing(1):
        raise RuntimeError
    assert torch.get_num_threads() == 2
    with computing(None):
        assert torch.get_num_threads() == 2


def test_small_models_compute_with_one_thread() -> None:
    small, large = nn.Linear(10, 10), nn.Linear(SMALL, 1)
    assert suited_threads(small) == 1
    assert suited_threads(large) is None
    assert suited_threads(small, large) is None


def test_a_setting_of_the_user_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(POLICY, "ACTIVE")
    assert not wait_passively()  # torch is imported already
    assert os.environ[POLICY] == "ACTIVE"


def test_the_command_line_sets_the_policy_before_torch_is_imported() -> None:
    code = (
        "import os, sys, tacit.cli\n"
        "try: tacit.cli.main(['--version'])\n"
        "except SystemExit: pass\n"
        "print('torch' in sys.modules, os.environ['OMP_WAIT_POLICY'])"
    )
    without = {name: value for name, value in os.environ.items() if name != POLICY}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=without, check=True)
    assert done.stdout.splitlines()[-1] == "False PASSIVE"
