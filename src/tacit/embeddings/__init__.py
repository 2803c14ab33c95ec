"""Embeddings: latents on disk, for probes and for training, and latents of acting agents."""

from tacit._registry import exports, lazy

__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        name: f"{__name__}.{module}"
        for module in ("acting_latents", "embedding", "embedding_sources", "model_digest", "stored_latents")
        for name in exports(f"{__name__}.{module}")
    },
)
