"""Memory: what an agent has experienced, on disk, in graphs of the states where it has been, or carried in its state.

::

    store = tc.memory.DiskStore.create("memory", latent_size=192, blocks=4, block_size=10)
    store.append(tc.memory.entries(latents, blocks, outcomes=returns))
    found = store.nearest(latents, 5)"""

from tacit.memory import carriers as carriers
from tacit.memory.entries import entries as entries
from tacit.memory.entries import windows as windows
from tacit.memory.graph import Graph as Graph
from tacit.memory.graph import Recorded as Recorded
from tacit.memory.routes import Route as Route
from tacit.memory.routes import Router as Router
from tacit.memory.store import DiskStore as DiskStore

__all__: list[str]
