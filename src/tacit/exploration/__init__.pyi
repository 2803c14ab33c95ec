"""Exploration: maps of the states that an agent can reach, from recorded episodes and from its own."""

from tacit.exploration.mapping import encode_recorded as encode_recorded
from tacit.exploration.mapping import map_episodes as map_episodes
from tacit.exploration.mapping import reach as reach

__all__: list[str]
