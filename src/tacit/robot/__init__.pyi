"""Control loop of a robot, and the dry run of an agent on a recorded episode.

::

    loop = tc.robot.Loop(agent, read, write, hz=20, record="data/robot")
    print(loop.run(seconds=60, goal=goal))

    print(tc.robot.dry_run(agent, episode))"""

from tacit.robot.clock import Clock as Clock
from tacit.robot.clock import SystemClock as SystemClock
from tacit.robot.clock import Worker as Worker
from tacit.robot.dry_runs import DryRun as DryRun
from tacit.robot.dry_runs import dry_run as dry_run
from tacit.robot.loop import Loop as Loop
from tacit.robot.report import LoopReport as LoopReport
from tacit.robot.report import Percentiles as Percentiles
from tacit.robot.settings import Faults as Faults
from tacit.robot.settings import Limits as Limits
from tacit.robot.settings import Reaction as Reaction

__all__: list[str]
