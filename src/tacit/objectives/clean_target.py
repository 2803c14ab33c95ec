"""Clean targets of changed observations."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from tacit.errors import ConfigError, SpecError
from tacit.objectives._objective import Term
from tacit.types import Forecast

__all__ = ["CleanTarget"]


class CleanTarget(Term):
    """Distance of the latents of changed observations from those of the clean ones.

    It is squared up to a difference of 1 and linear above (``smooth_l1``), so that a few very unlike latents do not
    outweigh all else.

    Targets have no gradient and are never changed themselves, as in SVEA (Hansen et al., arXiv 2107.00644). The batch
    needs changed observations; see :class:`tacit.training.transforms.ChangeFrames`.

    Args:
        warmup: Share of the training over which the weight rises linearly from 0, while latents find their scale.
        name: Name in logs.

    Raises:
        ConfigError: if ``warmup`` is not between 0 and 1.
    """

    def __init__(self, warmup: float = 0.0, name: str = "clean_target") -> None:
        super().__init__(name)
        if not 0.0 <= warmup <= 1.0:
            raise ConfigError(f"warmup is a share of the training, between 0 and 1; got {warmup}.")
        self.warmup = warmup

    def loss(self, forecast: Forecast, _seed: int, /) -> Tensor:
        """Return a scalar, half of a squared difference where that is small.

        Raises:
            SpecError: if the batch has no changed observations.
        """
        if forecast.changed is None or forecast.changed_at is None:
            raise SpecError(
                f"term {self.name!r} needs changed observations; train with the transform "
                "tc.training.transforms.ChangeFrames(augmentation)."
            )
        clean = forecast.targets[:, forecast.changed_at.to(forecast.targets.device)].detach()
        return F.smooth_l1_loss(forecast.changed, clean)
