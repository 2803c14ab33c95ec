"""Skips tests that need OpenGL where there is none; where it must be there, such a skip fails."""

import functools
import os

import pytest

from tacit.envs import _mujoco
from tacit.errors import MissingExtra, TacitError

XML = '<mujoco><worldbody><camera name="c" pos="0 0 1"/><geom size=".1"/></worldbody></mujoco>'


@functools.cache
def problem() -> str:
    """Why MuJoCo cannot draw here, empty where it can."""
    try:
        mujoco = _mujoco.load_mujoco("this test")
        _mujoco.Camera(mujoco.MjModel.from_xml_string(XML), 16).close()
    except (MissingExtra, TacitError) as error:
        return str(error)
    return ""


def require_gl() -> None:
    """Call first in a test that draws with MuJoCo; TACIT_REQUIRE_GL=1 turns the skip into a failure."""
    if not (reason := problem()):
        return
    if os.environ.get("TACIT_REQUIRE_GL") == "1":
        pytest.fail(f"OpenGL is required here. {reason}")
    pytest.skip(reason)
