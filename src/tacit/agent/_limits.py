"""Limits of the sequence of actions of an actor."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from tacit.errors import ConfigError
from tacit.types import ActionConstraint, ActionSpace, Box

__all__ = ["ActionLimits"]


class ActionLimits:
    """An action space and its constraints.

    Args:
        space: The space of one raw action.
        constraints: Restrictions of it.

    Raises:
        ConfigError: if the space is discrete and there are constraints, or one of them does not fit.
    """

    def __init__(self, space: ActionSpace, constraints: Sequence[ActionConstraint] = ()) -> None:
        self.whole = space
        """The space without the constraints."""
        if constraints and not isinstance(space, Box):
            raise ConfigError(
                f"constraints restrict the actions of a Box; got {space}. Leave them out, or choose actions as a Box."
            )
        for constraint in constraints:
            if not isinstance(constraint, ActionConstraint):
                raise ConfigError(
                    f"constraints are those of tacit.constraints, or have limited and after; got {constraint!r}."
                )
            if isinstance(space, Box):
                space = constraint.limited(space)
        self.space = space
        """The part of the space that is allowed at all times."""
        self._bounds = space.project(torch.tensor([[-torch.inf], [torch.inf]]).expand(2, space.size))
        self._steps = tuple(one for one in constraints if one.after(self._bounds[:1]) is not None)

    @property
    def sequential(self) -> bool:
        """Return whether the allowed actions depend on the previous one."""
        return bool(self._steps)

    def after(self, previous: Tensor, scale: Tensor | None = None) -> Callable[[Tensor], Tensor] | None:
        """Return :meth:`project` with a previous action ``[B, A]``, for planners; None if it is not needed."""
        needed = self._steps or (scale is not None and isinstance(self.space, Box))
        return (lambda actions: self.project(actions, previous, scale)) if needed else None

    def project(self, actions: Tensor, previous: Tensor, scale: Tensor | None = None) -> Tensor:
        """Return the nearest sequences of actions that satisfy space and constraints.

        Each action is moved to the nearest that may follow the previous one. Where the allowed part of the space cannot
        be reached in one step, it is approached as fast as the other constraints allow.

        Args:
            actions: ``[B, ..., H, A]``.
            previous: ``[B, A]`` the action before the first of them; NaN where it is unknown and then restricts
                nothing.
            scale: ``[B]`` the share of the allowed change per step, 1 for all of it; without a limit of the change, of
                the range. None: all of it in all worlds. Only for a :class:`tacit.types.Box`.
        """
        if not isinstance(self.space, Box):
            return self.space.project(actions)
        low, high = self._bounds.to(actions.device)
        if not self._steps and scale is None:
            return torch.clamp(actions, low, high)
        previous = previous.to(actions.device, actions.dtype)
        slow = None if scale is None else scale.to(actions).reshape(len(previous), *(1,) * (actions.ndim - 2))
        before = previous.reshape(len(previous), *(1,) * (actions.ndim - 3), -1)
        before = torch.where(before.isnan(), torch.clamp(actions[..., 0, :], low, high), before)
        out = torch.empty_like(actions)
        for step in range(actions.shape[-2]):
            lowest, highest = low, high
            intervals = [interval for one in self._steps if (interval := one.after(before)) is not None]
            for interval in intervals if slow is None else _narrowed(intervals, before, high - low, slow):
                lowest, highest = torch.clamp(lowest, *interval), torch.clamp(highest, *interval)
            before = torch.clamp(actions[..., step, :], lowest, highest)
            out[..., step, :] = before
        return out


def _narrowed(
    intervals: Sequence[tuple[Tensor, Tensor]], before: Tensor, span: Tensor, scale: Tensor
) -> list[tuple[Tensor, Tensor]]:
    """Return intervals ``[B, ..., A]`` around an action, narrower by a scale; without any, those of the whole span."""
    whole = torch.inf * torch.ones_like(before)
    wide = list(intervals) or [(before - whole, before + whole)]
    found = []
    for low, high in wide:
        down, up = (torch.minimum(gap, span) for gap in (before - low, high - before))
        narrow = before - scale * down, before + scale * up
        found.append((torch.where(scale == 1, low, narrow[0]), torch.where(scale == 1, high, narrow[1])))
    return found
