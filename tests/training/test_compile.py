"""Training with compiled forecasts, by a compiler that traces and does not generate code."""

import pytest
import torch

from tacit.errors import CheckpointError
from training import small


@pytest.fixture
def traced(monkeypatch):
    """The functions that were compiled."""
    compiled, real = [], torch.compile

    def trace(function):
        compiled.append(function)
        return real(function, backend="eager")

    monkeypatch.setattr(torch, "compile", trace)
    return compiled


def test_a_compiled_training_learns_the_same(tmp_path, traced):
    plain, _ = small.run(tmp_path / "plain", steps=3)
    assert not traced
    compiled, report = small.run(tmp_path / "compiled", steps=3, compile=True)
    assert len(traced) == 1 and report.log[-1]["step"] == 2
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(compiled.state_dict()[name], value, rtol=1e-5, atol=1e-6)
    with pytest.raises(CheckpointError, match="compile"):
        small.run(tmp_path / "compiled", steps=3)
