"""Evaluation of agents and world models: closed loop, open loop, oracles, surprise and held-out tasks."""

from tacit.evaluation.closed_loop import ClosedLoop as ClosedLoop
from tacit.evaluation.closed_loop import closed_loop as closed_loop
from tacit.evaluation.compare_actors import compare_episodes as compare_episodes
from tacit.evaluation.compare_actors import compare_with_baselines as compare_with_baselines
from tacit.evaluation.decision import Decision as Decision
from tacit.evaluation.decision import decide as decide
from tacit.evaluation.episode_scores import EpisodeScores as EpisodeScores
from tacit.evaluation.episode_scores import Near as Near
from tacit.evaluation.episode_scores import score_episodes as score_episodes
from tacit.evaluation.imagination import imagine as imagine
from tacit.evaluation.open_loop import OpenLoop as OpenLoop
from tacit.evaluation.open_loop import energy_rank_correlation as energy_rank_correlation
from tacit.evaluation.open_loop import open_loop as open_loop
from tacit.evaluation.oracles import ExpertActor as ExpertActor
from tacit.evaluation.oracles import TrueDynamicsActor as TrueDynamicsActor
from tacit.evaluation.reached import Reached as Reached
from tacit.evaluation.surprise import Detection as Detection
from tacit.evaluation.surprise import Surprise as Surprise
from tacit.evaluation.surprise import detection as detection
from tacit.evaluation.surprise import surprise as surprise
from tacit.evaluation.tasks import held_out_tasks as held_out_tasks
from tacit.evaluation.tasks import reached_tasks as reached_tasks
from tacit.evaluation.trace import Privileged as Privileged
from tacit.evaluation.trace import Trace as Trace
from tacit.evaluation.trace import trace as trace

__all__: list[str]
