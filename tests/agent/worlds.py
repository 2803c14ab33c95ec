"""The true dynamics of Two Rooms as a world model."""

import numpy as np
import torch


class Config:
    def __init__(self, spec, frameskip=1, history=1):
        self.spec, self.frameskip, self.history = spec, frameskip, history


class Known:
    """What an agent reads of a model, from its configuration."""

    latent_parts = {}  # noqa: RUF012
    spec = property(lambda self: self.config.spec)
    frameskip = property(lambda self: self.config.frameskip)
    history = property(lambda self: self.config.history)


class TrueTwoRooms(Known):
    """The true dynamics of Two Rooms behind the face of a world model; a latent is the position over 64."""

    def __init__(self, env, layout, frameskip=5):
        self.env, self.layout = env, layout
        self.config = Config(env.spec, frameskip)
        self.device = torch.device("cpu")

    def encode(self, observation):
        return torch.from_numpy(np.asarray(observation["position"], np.float32)) / 64

    def rollout(self, context, actions):
        latents = context.latents
        if actions.ndim == 3:
            return self.rollout(context, actions[:, None])[:, 0]
        batch, count, horizon, _ = actions.shape
        state = {name: np.repeat(values, count, axis=0) for name, values in self.layout.items()}
        state["position"] = np.repeat(64 * latents[:, -1].double().numpy(), count, axis=0)
        raw = actions.reshape(batch * count, horizon * self.config.frameskip, 2).numpy()
        after = self.env.simulate(state, raw)["position"][:, self.config.frameskip - 1 :: self.config.frameskip]
        return torch.from_numpy(after.astype(np.float32)).reshape(batch, count, horizon, 2) / 64
