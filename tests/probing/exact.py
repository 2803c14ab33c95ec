"""A model whose latents are positions and whose dynamics are right, and recordings of its world."""

from types import SimpleNamespace

import numpy as np
import torch
from torch import nn

from tacit.data import from_episodes
from tacit.types import Box, Episode, Modality, Spec


class Exact(nn.Module):
    """The first two numbers of the observation are the latent; each action of a block moves it."""

    def __init__(self, spec=None, frameskip=1, history=1, size=2, gain=1.0):
        super().__init__()
        self.config = SimpleNamespace(spec=spec, frameskip=frameskip, history=history, inputs=("vector",))
        self.spec, self.frameskip, self.history, self.latent_parts = spec, frameskip, history, {}
        self.device, self._size, self._gain, self.modes = torch.device("cpu"), size, gain, []

    def encode(self, observation):
        self.modes.append(self.training)
        return torch.as_tensor(observation["vector"])[..., : self._size].float()

    encode_target = encode

    def rollout(self, context, actions):
        latents, past_actions = context.latents, context.blocks
        assert past_actions is None or past_actions.shape[1] == latents.shape[1] - 1
        move = actions.unflatten(-1, (self.config.frameskip, -1)).sum(dim=-2).cumsum(dim=-2)
        start = latents[:, -1, None] if actions.ndim == 3 else latents[:, -1, None, None]
        return start + self._gain * move


def recordings(count=12, length=30, seed=0, labels=None):
    """Random walks in the plane: the observation is the position and one number of noise."""
    rng = np.random.default_rng(seed)
    spec = Spec({"vector": Modality("vector", (3,))}, Box((-1.0, -1.0), (1.0, 1.0), "delta"))
    episodes = []
    for _ in range(count):
        action = rng.uniform(-1, 1, (length - 1, 2)).astype(np.float32)
        position = rng.uniform(-3, 3, 2) + np.concatenate([np.zeros((1, 2)), action.cumsum(axis=0)])
        vector = np.concatenate([position, rng.normal(size=(length, 1))], axis=1).astype(np.float32)
        named = {"position": vector[:, :2].copy(), **(labels(vector, rng) if labels else {})}
        episodes.append(Episode({"vector": vector}, action, labels=named))
    return from_episodes(episodes, spec)
