"""Embeddings: latents on disk, for probes and for training, and latents of acting agents."""

from tacit.embeddings.acting_latents import record_latents as record_latents
from tacit.embeddings.embedding import Embedding as Embedding
from tacit.embeddings.embedding import EmbeddingHeader as EmbeddingHeader
from tacit.embeddings.embedding import Split as Split
from tacit.embeddings.embedding import embed as embed
from tacit.embeddings.embedding import open_embedding as open_embedding
from tacit.embeddings.embedding_sources import embedding_sources as embedding_sources
from tacit.embeddings.model_digest import model_digest as model_digest
from tacit.embeddings.stored_latents import Embedded as Embedded

__all__: list[str]
