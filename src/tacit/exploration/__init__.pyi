"""Exploration: maps of the states that an agent can reach, from recorded episodes and from its own."""

from tacit.exploration.explorer import Explorer as Explorer
from tacit.exploration.exploring import ExploringAgent as ExploringAgent
from tacit.exploration.exploring import explore as explore
from tacit.exploration.frontier import Frontier as Frontier
from tacit.exploration.frontier import FrontierSearch as FrontierSearch
from tacit.exploration.mapping import encode_recorded as encode_recorded
from tacit.exploration.mapping import imagined_error as imagined_error
from tacit.exploration.mapping import map_episodes as map_episodes
from tacit.exploration.mapping import reach as reach

__all__: list[str]
