"""World models with known answers."""

import numpy as np
import torch

from tacit.types import Box, Modality, Spec


class Config:
    def __init__(self, spec, frameskip=1, history=1):
        self.spec, self.frameskip, self.history = spec, frameskip, history


class Known:
    """What an agent reads of a model, from its configuration."""

    latent_parts = {}  # noqa: RUF012
    spec = property(lambda self: self.config.spec)
    frameskip = property(lambda self: self.config.frameskip)
    history = property(lambda self: self.config.history)


class Walk(Known):
    """``p' = p + a`` for each raw action; a latent is the position, as far as the model is right.

    Args:
        frameskip: Raw actions in a block.
        history: Latents that it looks back on; their number and the blocks between them are recorded.
        drift: What the world adds at each raw step, unknown to the model.
    """

    def __init__(self, frameskip=1, history=1, space=None, drift=0.0):
        space = space or Box((-1.0, -1.0), (1.0, 1.0), "delta")
        self.size = space.size
        self.config = Config(Spec({"position": Modality("vector", (self.size,))}, space), frameskip, history)
        self.device = torch.device("cpu")
        self.drift = drift
        self.looked = 0
        self.contexts = []

    def encode(self, observation):
        self.looked += 1
        return torch.from_numpy(np.asarray(observation["position"], np.float32))

    def rollout(self, context, actions):
        latents, past_actions = context.latents, context.blocks
        if actions.ndim == 3:
            return self.rollout(context, actions[:, None])[:, 0]
        self.contexts.append((latents, past_actions))
        steps = actions.unflatten(-1, (self.config.frameskip, self.size)).sum(dim=-2)
        return latents[:, None, -1:] + steps.cumsum(dim=2)

    def live(self, actor, start, goal=None, steps=6, seed=0):
        """Positions ``[steps + 1, B, A]``, actions ``[steps, B, A]``, verdicts and the last state."""
        position, positions, actions, verdicts = start, [start], [], []
        state = actor.start(seed=seed, batch=len(start), goal=None if goal is None else {"position": goal})
        for _ in range(steps):
            action, verdict, state = actor.act(state, {"position": position})
            position = position + action + np.float32(self.drift)
            positions.append(position)
            actions.append(action)
            verdicts.append(verdict)
        return np.stack(positions), np.stack(actions), verdicts, state


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
