"""MuJoCo without a display: choice of the OpenGL library, and a renderer fast enough for a CPU.

Shadows and multisampling cost a software renderer 10 to 60 times the rest of a frame, so they are
switched off before the context exists; afterwards they cannot be. Frames therefore differ from
those of other code: render training and evaluation in the same way.
"""

from __future__ import annotations

import atexit
import os
import sys
import weakref
from contextlib import suppress
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt

from tacit.errors import MissingExtra, TacitError
from tacit.types import ActionKind

__all__ = ["APT", "Camera", "actuator_kinds", "choose_opengl", "close_first_at_exit", "load_mujoco", "lower_quality"]

GAIN_FIXED, BIAS_NONE, BIAS_AFFINE = 0, 0, 1
"""``mjtGain`` and ``mjtBias`` of MuJoCo."""
DYN_STATELESS = (0, 2, 3)
"""``mjtDyn``: no dynamics, or a filter that approaches the control."""

APT = "apt-get install -y libegl1 libegl-mesa0 libgl1-mesa-dri"


def choose_opengl() -> None:
    """Select EGL for MuJoCo where there is neither a choice nor a display. Call it before the import.

    Mesa brings its own LLVM, and so does triton, which comes with torch for CUDA and is loaded by the first optimiser.
    Both work where triton's is loaded first; in the other order the process ends with a segmentation fault.
    """
    if sys.platform == "linux":
        with suppress(ImportError):
            import_module("triton")
        if "DISPLAY" not in os.environ:
            os.environ.setdefault("MUJOCO_GL", "egl")


def load_mujoco(purpose: str) -> Any:
    """Import and return the module ``mujoco``.

    Raises:
        MissingExtra: if the package is not installed.
        TacitError: if the chosen OpenGL library is not installed.
    """
    choose_opengl()
    try:
        import mujoco
    except ModuleNotFoundError as error:
        raise MissingExtra("mujoco", "mujoco", purpose) from error
    except (ImportError, AttributeError, OSError) as error:
        raise _no_opengl() from error
    return mujoco


def actuator_kinds(model: Any) -> tuple[ActionKind | None, ...]:
    """Return the kind that each actuator of a ``mujoco.MjModel`` commands; None for all but plain motors and servos."""
    kinds: list[ActionKind | None] = []
    for index in range(model.nu):
        gain, bias = float(model.actuator_gainprm[index][0]), model.actuator_biasprm[index][:3]
        dynamics = int(model.actuator_dyntype[index])
        found: ActionKind | None = None
        if int(model.actuator_gaintype[index]) == GAIN_FIXED:
            affine = int(model.actuator_biastype[index]) == BIAS_AFFINE and gain > 0 and bias[0] == 0
            if int(model.actuator_biastype[index]) == BIAS_NONE and dynamics in DYN_STATELESS:
                found = "force"
            elif affine and dynamics in DYN_STATELESS and bias[1] == -gain:
                found = "position"
            elif affine and dynamics in DYN_STATELESS and bias[1] == 0 and bias[2] == -gain:
                found = "velocity"
        kinds.append(found)
    return tuple(kinds)


def lower_quality(model: Any) -> None:
    """Turn off shadows and multisampling of a ``mujoco.MjModel``; call it before its first frame."""
    model.vis.quality.shadowsize = 0
    model.vis.quality.offsamples = 0
    model.light_castshadow[:] = 0


_open: weakref.WeakSet[Camera] = weakref.WeakSet()


def close_first_at_exit() -> None:
    """Free OpenGL contexts at exit before all handlers that were registered until now.

    MuJoCo and dm_control each terminate EGL at exit, after which freeing a context fails.
    """
    atexit.unregister(_close_all)
    atexit.register(_close_all)


class Camera:
    """A renderer of one model.

    Args:
        model: A ``mujoco.MjModel``.
        size: Height and width of the frames.
        camera: Name or number of a camera of the model.
        plain: Also leave out reflections and sky.
        supersample: Render at this many times the size and average, for antialiasing.
    """

    def __init__(self, model: Any, size: int, camera: int | str = 0, plain: bool = False, supersample: int = 1) -> None:
        mujoco = load_mujoco("rendering")
        self._size, self._camera, self._supersample = size, camera, supersample
        lower_quality(model)
        drawn = size * supersample
        model.vis.global_.offwidth = max(model.vis.global_.offwidth, drawn)
        model.vis.global_.offheight = max(model.vis.global_.offheight, drawn)
        try:
            self._renderer = mujoco.Renderer(model, drawn, drawn)
        except (ImportError, AttributeError, OSError, RuntimeError) as error:
            raise _no_opengl() from error
        _open.add(self)
        close_first_at_exit()
        if plain:
            self._renderer.scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = 0
            self._renderer.scene.flags[mujoco.mjtRndFlag.mjRND_SKYBOX] = 0

    def image(self, data: Any) -> npt.NDArray[np.uint8]:
        """Render ``[3, size, size]`` of a ``mujoco.MjData`` whose positions are up to date."""
        self._renderer.update_scene(data, camera=self._camera)
        frame = self._renderer.render()
        if (times := self._supersample) > 1:
            sums = np.full((self._size, self._size, 3), times * times // 2, np.uint16)
            for row, column in np.ndindex(times, times):
                sums += frame[row::times, column::times]
            frame = (sums // (times * times)).astype(np.uint8)
        return np.ascontiguousarray(frame.transpose(2, 0, 1))

    def close(self) -> None:
        """Free the OpenGL context."""
        self._renderer.close()


def _close_all() -> None:
    for camera in list(_open):
        camera.close()


def _no_opengl() -> TacitError:
    chosen = os.environ.get("MUJOCO_GL", "glfw")
    return TacitError(
        f"MuJoCo found no usable OpenGL (MUJOCO_GL={chosen}). On Debian or Ubuntu run: {APT} -- and leave MUJOCO_GL "
        "unset or set it to egl; MUJOCO_GL=osmesa with libosmesa6 works too.",
        code="T11",
    )
