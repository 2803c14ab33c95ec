"""Diagnostics of latents: spread, effective rank, motion and straightness, which show a collapse."""

from tacit.diagnostics.latents import LatentStatistics, effective_rank, latent_statistics, straightness

__all__ = ["LatentStatistics", "effective_rank", "latent_statistics", "straightness"]
