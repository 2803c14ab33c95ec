"""Memory: what an agent has experienced, on disk, in graphs of the states where it has been, or carried in its state.

::

    store = tc.memory.DiskStore.create("memory", latent_size=192, blocks=4, block_size=10)
    store.append(tc.memory.entries(latents, blocks, outcomes=returns))
    found = store.nearest(latents, 5)
"""

from tacit._registry import exports, lazy

__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        "carriers": f"{__name__}.carriers",
        **{
            name: f"{__name__}.{module}"
            for module in ("entries", "graph", "routes", "store")
            for name in exports(f"{__name__}.{module}")
        },
    },
)
