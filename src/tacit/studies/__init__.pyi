"""Studies: frozen manifests of measurements, run with several seeds, resumed and reported."""

from tacit.studies.command_line import main as main
from tacit.studies.execution import machine as machine
from tacit.studies.execution import missing as missing
from tacit.studies.execution import run as run
from tacit.studies.results import Results as Results
from tacit.studies.study import Budget as Budget
from tacit.studies.study import Report as Report
from tacit.studies.study import Run as Run
from tacit.studies.study import RunResult as RunResult
from tacit.studies.study import Study as Study
from tacit.studies.study import Target as Target
from tacit.studies.study import by_case as by_case
from tacit.studies.tables import at_least as at_least
from tacit.studies.tables import at_most as at_most
from tacit.studies.tables import columns as columns
from tacit.studies.tables import mean as mean
from tacit.studies.tables import met as met
from tacit.studies.tables import points as points
from tacit.studies.tables import rate as rate
from tacit.studies.tables import relative_cost as relative_cost
from tacit.studies.tables import section as section
from tacit.studies.tables import table as table
from tacit.studies.tables import targets as targets
from tacit.studies.trained_run import TrainedRun as TrainedRun
from tacit.studies.trained_run import train as train

__all__: list[str]
