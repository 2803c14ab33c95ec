"""The actor of a policy on latents, such as one that another library trained in imagination."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tacit.agent._actor import BlockActor
from tacit.agent._fallback import NamedFallback
from tacit.errors import SpecError
from tacit.guard import Guard
from tacit.types import ActionConstraint, Discrete, FallbackPolicy, Plan, Situation, WorldModel

__all__ = ["LatentActor", "LatentPolicy"]

Floats = npt.NDArray[np.float32]
LatentPolicy: TypeAlias = Callable[[dict[str, Floats]], npt.ArrayLike]
"""A function of ``latent [B, D]`` and, where there is a goal, ``goal [B, D]``: the observations of
:class:`tacit.envs.Imagined`. It returns blocks ``[B, A']``, or raw actions ``[B, A]`` to repeat for a block."""

NOT_FINITE = "latent, goal or action of the policy is not finite"


class LatentActor(BlockActor):
    """An actor that encodes observations and lets a policy on latents choose each block.

    It runs in the real world what was trained in :class:`tacit.envs.Imagined`, such as a model of stable-baselines3::

        actor = tc.agent.LatentActor(model, lambda seen: sac.predict(seen, deterministic=True)[0])

    Where latent, goal or action are not finite the fallback acts, and the verdict of the act is not ok.

    Args:
        model: The source of the latents; the one that the policy was trained with.
        policy: The policy, see :data:`tacit.agent.LatentPolicy`. Its actions are projected into the space.
        fallback: See :class:`tacit.Agent`.
        constraints: See :class:`tacit.Agent`.
        guard: See :class:`tacit.Agent`.
    """

    def __init__(
        self,
        model: WorldModel,
        policy: LatentPolicy,
        *,
        fallback: NamedFallback | FallbackPolicy | None = None,
        constraints: Sequence[ActionConstraint] = (),
        guard: Guard | None = None,
    ) -> None:
        decider = _LatentDecider(model, policy)
        super().__init__(model, decider, fallback=fallback, constraints=constraints, guard=guard)
        self.policy = policy


@dataclass(frozen=True)
class _LatentDecider:
    """A decider that asks a policy on latents for the next block.

    Args:
        model: The source of the latents.
        policy: The policy.
    """

    model: WorldModel
    policy: LatentPolicy

    def __call__(self, situation: Situation, /) -> Plan:
        """See :class:`tacit.types.Decider`."""
        latent = situation.context.latents[:, -1]
        given = {"latent": latent} if situation.goal is None else {"latent": latent, "goal": situation.goal}
        known = torch.stack([part.isfinite().all(dim=1) for part in given.values()]).all(dim=0)
        # Replace NaN by numbers, since a policy may refuse NaN and then fails for all worlds.
        shown = {name: part.nan_to_num(0.0, 0.0, 0.0).float().cpu().numpy() for name, part in given.items()}
        actions = self._actions(self.policy(shown), situation)
        known &= actions.flatten(1).isfinite().all(dim=1)
        actions = situation.space.project(actions)
        if situation.project is not None:
            actions = situation.project(actions)
        energy = torch.where(known, 0.0, torch.inf)
        return Plan(actions, energy, (), 1, reasons=tuple("" if one else NOT_FINITE for one in known.tolist()))

    def _actions(self, found: npt.ArrayLike, situation: Situation) -> Tensor:
        """Return raw actions ``[B, frameskip, A]``.

        Raises:
            SpecError: if the policy returned another shape.
        """
        space, batch, skip = situation.space, situation.batch, self.model.frameskip
        rows = np.asarray(found)
        if isinstance(space, Discrete) and rows.shape == (batch,):
            rows = np.eye(space.n)[rows.astype(np.int64)]
        if rows.shape not in ((batch, space.size), (batch, skip * space.size)):
            raise SpecError(
                f"a policy on latents returns [B, A'] = {[batch, skip * space.size]}, or [B, A] = "
                f"{[batch, space.size]} to repeat an action; got {list(rows.shape)}."
            )
        actions = torch.from_numpy(np.ascontiguousarray(rows, np.float32)).to(self.model.device)
        return actions.reshape(batch, -1, space.size).expand(-1, skip, -1)
