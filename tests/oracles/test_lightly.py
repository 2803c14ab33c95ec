"""Objectives against the library lightly: `uv run --group oracles pytest tests/oracles`."""

import importlib
import importlib.util

import pytest
import torch
from torch import Tensor

from tacit.objectives import Invariance, SIGReg, VICReg
from tacit.types import ViewEmbeddings

if importlib.util.find_spec("lightly") is None:
    pytest.skip("needs lightly, of the dependency group 'oracles'", allow_module_level=True)

lejepa = importlib.import_module("lightly.loss.lejepa_loss")
vicreg = importlib.import_module("lightly.loss.vicreg_loss")

SEED = 7


def embedded(views: int, items: int = 24, size: int = 10) -> Tensor:
    """Embeddings ``[B, V, D]`` of other scales and places than the objectives ask for."""
    torch.manual_seed(0)
    scale, shift = torch.rand(size) * 2, torch.randn(size)
    base = torch.randn(items, 1, size)
    return ((base + 0.3 * torch.randn(items, views, size)) * scale + shift).requires_grad_()


def assert_same(ours: Tensor, theirs: Tensor, latents: Tensor) -> None:
    """Values and gradients."""
    assert theirs.item() > 0.01
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    (mine,), (other,) = (torch.autograd.grad(loss, latents) for loss in (ours, theirs))
    torch.testing.assert_close(mine, other, rtol=1e-3, atol=1e-5)


@pytest.fixture
def same_directions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their directions drawn as ours are: a Gaussian matrix from a generator of that seed, its columns normalised."""

    def drawn(module: object, device: torch.device, dtype: torch.dtype, size: int) -> Tensor:
        generator = torch.Generator().manual_seed(SEED)
        matrix = torch.randn(size, module.num_vectors, generator=generator)
        return matrix / matrix.norm(dim=0)

    monkeypatch.setattr(lejepa.SIGReg, "_generate_unit_vectors", drawn)


@pytest.mark.usefixtures("same_directions")
@pytest.mark.parametrize("slices", [1, 16, 1024])
def test_sigreg(slices: int) -> None:
    latents = embedded(3)
    ours = SIGReg(slices=slices).loss(ViewEmbeddings(latents, 3), SEED)
    assert_same(ours, lejepa.SIGReg(num_vectors=slices)(latents.transpose(0, 1)), latents)


@pytest.mark.usefixtures("same_directions")
@pytest.mark.parametrize(("whole", "weight"), [(2, 0.05), (1, 0.5)])
def test_lejepa(whole: int, weight: float) -> None:
    latents = embedded(5)
    objective = (1 - weight) * Invariance() + weight * SIGReg(slices=64)
    ours = objective(ViewEmbeddings(latents, whole), SEED).total
    views = latents.transpose(0, 1)
    theirs = lejepa.LeJEPALoss(lambda_param=weight, sigreg_num_vectors=64)
    assert_same(ours, theirs(global_proj=views[:whole], local_proj=views[whole:]), latents)


@pytest.mark.parametrize("size", [2, 10])
@pytest.mark.parametrize(("alike", "varied", "apart"), [(25.0, 25.0, 1.0), (1.0, 3.0, 0.2)])
def test_vicreg(size: int, alike: float, varied: float, apart: float) -> None:
    latents = embedded(2, size=size)
    # Theirs is the mean square of the difference of two views, four times that from their mean; their covariances are
    # summed over the views, not averaged, and divided by D, not D (D - 1).
    objective = 4 * alike * Invariance(around="all") + VICReg(varied, 2 * (size - 1) * apart)
    ours = objective(ViewEmbeddings(latents, 2), SEED).total
    theirs = vicreg.VICRegLoss(lambda_param=alike, mu_param=varied, nu_param=apart)
    assert_same(ours, theirs(latents[:, 0], latents[:, 1]), latents)
