"""The choice of a recipe from what was recorded."""

from __future__ import annotations

from tacit.data import Episodes
from tacit.recipes._recipe import Recipe
from tacit.recipes.general import General
from tacit.recipes.ijepa import IJEPA
from tacit.recipes.vjepa2 import VJEPA2

__all__ = ["suited"]


def suited(episodes: Episodes) -> tuple[str, Recipe]:
    """Return the name of a recipe for some recordings, and the recipe.

    The recipe can learn from them, and has options for them.

    ``general`` where there are actions. Without actions ``ijepa`` for images, series and vectors, and ``vjepa2`` for
    videos.
    """
    spec = episodes.spec
    if spec.action.size:
        return "general", General.for_data(spec, episodes.lengths)
    if spec.cameras and int(max(episodes.lengths)) > 1:
        return "vjepa2", VJEPA2()
    return "ijepa", IJEPA()
