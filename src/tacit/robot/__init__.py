"""Control loop of a robot, and the dry run of an agent on a recorded episode.

::

    loop = tc.robot.Loop(agent, read, write, hz=20, record="data/robot")
    print(loop.run(seconds=60, goal=goal))

    print(tc.robot.dry_run(agent, episode))
"""

from tacit._registry import exports, lazy

MODULES = ("clock", "dry_runs", "loop", "report", "settings")

__getattr__, __dir__, __all__ = lazy(
    __name__,
    {name: f"{__name__}.{module}" for module in MODULES for name in exports(f"{__name__}.{module}")},
)
