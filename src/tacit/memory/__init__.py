"""Memory: what an agent has experienced, on disk and searched by latents, and graphs of the states where it has been.

::

    store = tc.memory.DiskStore.create("memory", latent_size=192, blocks=4, block_size=10)
    store.append(tc.memory.entries(latents, blocks, outcomes=returns))
    found = store.nearest(latents, 5)
"""

from tacit._registry import exports, lazy

__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        name: f"{__name__}.{module}"
        for module in ("entries", "graph", "routes", "store")
        for name in exports(f"{__name__}.{module}")
    },
)
