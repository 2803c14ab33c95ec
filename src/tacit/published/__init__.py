"""Published weights: files of I-JEPA, V-JEPA, V-JEPA 2, V-JEPA 2-AC and LeWorldModel.

::

    model = tc.published.convert("vitl16.pth.tar", layout="vjepa")
"""

from tacit.published.conversion import convert

__all__ = ["convert"]
