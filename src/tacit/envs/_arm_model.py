"""MuJoCo model of a small arm in the proportions of an SO-101, made of capsules and boxes."""

from __future__ import annotations

__all__ = ["CUBE", "JOINTS", "LIMITS", "XML"]

JOINTS = ("shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper")
"""The joints in the order of the action; at zero the upper arm is upright, the forearm and the hand are level."""
LIMITS = ((-1.9, 1.9), (-1.7, 1.7), (-1.7, 1.7), (-1.65, 1.65), (-2.7, 2.7), (0.0, 1.2))
"""Their ranges in radians."""
CUBE = 0.02
"""Half of the edge of the cube in metres."""


def _joint(index: int, axis: str) -> str:
    low, high = LIMITS[index]
    return f'<joint name="{JOINTS[index]}" axis="{axis}" range="{low} {high}"/>'


def _servo(index: int) -> str:
    low, high = LIMITS[index]
    return f'<position joint="{JOINTS[index]}" kp="12" ctrlrange="{low} {high}" forcerange="-3 3"/>'


XML = f"""
<mujoco model="arm">
  <compiler angle="radian"/>
  <option timestep="0.005" integrator="implicitfast"/>
  <visual><headlight ambient=".45 .45 .45" diffuse=".5 .5 .5" specular="0 0 0"/></visual>
  <default>
    <joint damping="0.9" armature="0.02" limited="true"/>
    <geom contype="1" conaffinity="2" friction="0.6" rgba=".95 .75 .2 1" density="400"/>
  </default>
  <worldbody>
    <camera name="front" pos="0.60 0 0.42" xyaxes="0 1 0 -.65 0 .76" fovy="34"/>
    <light pos="0.2 0.3 1" dir="0 -.2 -1"/>
    <geom name="table" type="box" size=".4 .4 .01" pos=".2 0 -.01" contype="2" conaffinity="1" rgba=".35 .38 .42 1"/>
    <geom type="box" size=".035 .035 .03" pos="0 0 .03" contype="0" conaffinity="0" rgba=".2 .2 .25 1"/>
    <body name="shoulder" pos="0 0 .06" gravcomp="1">
      {_joint(0, "0 0 1")}
      <geom type="box" size=".025 .025 .025" pos="0 0 .025" rgba=".2 .2 .25 1"/>
      <body name="upper_arm" pos=".03 0 .05" gravcomp="1">
        {_joint(1, "0 1 0")}
        <geom type="capsule" fromto="0 0 0 0 0 .116" size=".014"/>
        <body name="forearm" pos="0 0 .116" gravcomp="1">
          {_joint(2, "0 1 0")}
          <geom type="capsule" fromto="0 0 0 .135 0 0" size=".012"/>
          <body name="wrist" pos=".135 0 0" gravcomp="1">
            {_joint(3, "0 1 0")}
            <geom type="capsule" fromto="0 0 0 .03 0 0" size=".013" rgba=".2 .2 .25 1"/>
            <body name="hand" pos=".03 0 0" gravcomp="1">
              {_joint(4, "1 0 0")}
              <geom type="box" size=".02 .018 .01" pos=".02 0 0" rgba=".2 .2 .25 1"/>
              <geom type="box" size=".03 .005 .008" pos=".07 -.006 0" rgba=".2 .7 .9 1"/>
              <site name="tip" pos=".1 0 0" size=".004" rgba="0 0 0 0"/>
              <body name="jaw" pos=".04 .006 0" gravcomp="1">
                {_joint(5, "0 0 1")}
                <geom type="box" size=".03 .005 .008" pos=".03 0 0" rgba=".2 .7 .9 1"/>
              </body>
            </body>
          </body>
        </body>
      </body>
    </body>
    <body name="cube" pos="0 0 {CUBE}">
      <joint name="cube_x" type="slide" axis="1 0 0" range=".1 .36" damping="2" frictionloss=".25" armature="0"/>
      <joint name="cube_y" type="slide" axis="0 1 0" range="-.22 .22" damping="2" frictionloss=".25" armature="0"/>
      <joint name="cube_turn" axis="0 0 1" limited="false" damping=".004" frictionloss=".002" armature="1e-5"/>
      <geom type="box" size="{CUBE} {CUBE} {CUBE}" contype="2" conaffinity="1" rgba=".9 .15 .15 1" density="800"/>
    </body>
  </worldbody>
  <actuator>
    {"".join(_servo(index) for index in range(len(JOINTS)))}
  </actuator>
</mujoco>
"""
