"""Diagnostics of latents, which show a collapse, of optical flow, and of the operations of a computation."""

from tacit.diagnostics.flow import end_point_error as end_point_error
from tacit.diagnostics.flow import phase_correlation as phase_correlation
from tacit.diagnostics.latents import LatentStatistics as LatentStatistics
from tacit.diagnostics.latents import effective_rank as effective_rank
from tacit.diagnostics.latents import latent_statistics as latent_statistics
from tacit.diagnostics.latents import straightness as straightness
from tacit.diagnostics.operations import operations as operations
from tacit.diagnostics.operations import peak_rate as peak_rate
from tacit.diagnostics.operations import training_operations as training_operations

__all__: list[str]
