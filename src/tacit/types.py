"""The values that flow between layers, and the protocols that parts meet each other through.

Nothing here computes: these are frozen records with their shapes, and the structural types that let
a planner score a model it cannot name. Axes: ``B`` batch, ``T`` time, ``S`` candidate plans,
``H`` horizon in action blocks, ``A`` action size, ``D`` latent size, ``C`` channels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from tacit.errors import SpecError

if TYPE_CHECKING:
    from torch import Generator, Tensor

__all__ = [
    "ActionSpace",
    "Actor",
    "Array",
    "Box",
    "Clip",
    "Completion",
    "Cost",
    "Discrete",
    "Environment",
    "Episode",
    "Forecast",
    "GoalEnvironment",
    "Iteration",
    "Mask",
    "Masking",
    "Modality",
    "Motion",
    "Observation",
    "Plan",
    "Planner",
    "Score",
    "Spec",
    "State",
    "Statistics",
    "TaskRules",
    "Tasks",
    "Transform",
    "Transition",
    "Verdict",
    "Views",
]

Array: TypeAlias = npt.NDArray[np.generic]
Observation: TypeAlias = Mapping[str, Array]
"""One array per modality, under the names of :attr:`Spec.modalities`."""
State: TypeAlias = Mapping[str, npt.NDArray[np.generic]]
"""The full state of a batch of worlds: one array ``[B, ...]`` per quantity."""


@dataclass(frozen=True)
class Box:
    """A bounded continuous action space of shape ``[A]``; without components, nobody acts: pictures, films, signals.

    Args:
        low: The lower bound of each component, finite.
        high: The upper bound of each component, finite and not below ``low``.

    Raises:
        SpecError: if the bounds differ in length, are not finite or are crossed.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]

    def __post_init__(self) -> None:
        for name in ("low", "high"):  # an array or a list is taken as well
            object.__setattr__(self, name, tuple(float(bound) for bound in vars(self)[name]))
        if len(self.low) != len(self.high):
            raise SpecError(f"Box needs as many low as high bounds; got {len(self.low)} and {len(self.high)}.")
        for index, (low, high) in enumerate(zip(self.low, self.high, strict=True)):
            if not (np.isfinite(low) and np.isfinite(high) and low <= high):
                raise SpecError(
                    f"Box component {index} needs finite bounds with low <= high; got [{low}, {high}]. "
                    "Give the range that the actuator really accepts."
                )

    @property
    def size(self) -> int:
        """``A``, the number of components."""
        return len(self.low)


@dataclass(frozen=True)
class Discrete:
    """A choice among ``n`` actions, carried as a one-hot vector of shape ``[n]`` (so ``A = n``).

    Raises:
        SpecError: if ``n`` is below two.
    """

    n: int

    def __post_init__(self) -> None:
        if self.n < 2:
            raise SpecError(f"Discrete needs at least two choices; got n={self.n}.")

    @property
    def size(self) -> int:
        """``A``, the width of the one-hot vector."""
        return self.n


ActionSpace: TypeAlias = Box | Discrete


@dataclass(frozen=True)
class Modality:
    """One named stream of an observation.

    Args:
        kind: ``pixels`` (uint8 ``[C, H, W]`` a step), ``vector`` (float32 ``[D]`` a step) or ``series``
            (float32 ``[C]`` a sample, sampled at its own ``rate``).
        shape: The shape of one step or, for a series, of one sample.
        rate: Samples a second, for a series only; every other kind ticks with the actions.

    Raises:
        SpecError: if the shape or the rate does not fit the kind.
    """

    kind: Literal["pixels", "vector", "series"]
    shape: tuple[int, ...]
    rate: float | None = None

    def __post_init__(self) -> None:
        axes = {"pixels": 3, "vector": 1, "series": 1}.get(self.kind)
        if axes is None:
            raise SpecError(f"a modality is 'pixels', 'vector' or 'series'; got {self.kind!r}.")
        if len(self.shape) != axes or any(size < 1 for size in self.shape):
            raise SpecError(f"a {self.kind} modality needs {axes} axes of at least 1; got shape {self.shape}.")
        if (self.kind == "series") != (self.rate is not None):
            raise SpecError(
                f"a rate belongs to a series and to nothing else; got kind {self.kind!r}, rate {self.rate}."
            )
        if self.rate is not None and not (np.isfinite(self.rate) and self.rate > 0):
            raise SpecError(f"a series needs a positive rate in samples a second; got {self.rate}.")

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """``uint8`` for pixels, ``float32`` for everything else."""
        return np.dtype(np.uint8 if self.kind == "pixels" else np.float32)


@dataclass(frozen=True)
class Spec:
    """What an environment or a dataset shows and accepts.

    Args:
        modalities: The streams of an observation by name.
        action: The space of one action; by default there are none.
        fps: Steps (and so actions) a second.
    """

    modalities: Mapping[str, Modality]
    action: ActionSpace = Box((), ())
    fps: float = 10.0

    def __post_init__(self) -> None:
        if not self.modalities:
            raise SpecError(
                "a Spec needs at least one modality, for example {'pixels': Modality('pixels', (3, 64, 64))}."
            )
        if not (np.isfinite(self.fps) and self.fps > 0):
            raise SpecError(f"fps must be positive; got {self.fps}.")

    def samples(self, name: str, steps: int) -> int:
        """The length of modality ``name`` over ``steps`` observations.

        Sample ``k`` of a series falls at ``k / rate`` seconds and observation ``t`` at ``t / fps``; the samples
        of a step are those from its observation on, up to the next one.
        """
        rate = self.modalities[name].rate
        return steps if rate is None else int(np.ceil(steps * rate / self.fps - 1e-9))


@dataclass(frozen=True)
class Episode:
    """One unbroken recording. ``action[t]`` takes ``observation[t]`` to ``observation[t + 1]``.

    Attributes:
        observation: Per modality ``[T, ...]``; a series has ``Spec.samples(name, T)`` samples instead.
        action: ``[T - 1, A]`` float32.
        terminated: The world ended the episode (as against ``truncated``: we did).
        final_action: ``[A]``, an action commanded at the last observation whose outcome was not recorded.
        labels: Quantities recorded for probes and evaluation only, ``[T, ...]``; a model never sees them.
        index: The episode's number in its dataset.
        seed: The seed that made it, where there was one.
        task: What was being done, in words.
    """

    observation: Observation
    action: npt.NDArray[np.float32]
    terminated: bool = False
    final_action: npt.NDArray[np.float32] | None = None
    labels: Mapping[str, Array] = field(default_factory=dict)
    index: int = 0
    seed: int | None = None
    task: str = ""

    def __len__(self) -> int:
        """The number of observations ``T``."""
        return len(self.action) + 1

    @property
    def truncated(self) -> bool:
        """We, not the world, ended the episode."""
        return not self.terminated


@dataclass(frozen=True)
class Statistics:
    """Mean and standard deviation of each component, fitted on training episodes only.

    Attributes:
        mean: Per modality (pixels: per channel, in ``[0, 1]``; series: per channel) and, under
            ``action``, per component of a raw action.
        std: The same, never below 1e-6, so that it can divide.
    """

    mean: Mapping[str, tuple[float, ...]]
    std: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True)
class Mask:
    """Which tokens of a batch are seen and which are to be predicted from them; indices count along a token grid.

    Attributes:
        context: ``[B, K]`` int64, ascending: the tokens that the context encoder sees.
        targets: Blocks to predict, ``[B, M]`` int64 each, ascending, none of them in the context.
    """

    context: Tensor
    targets: tuple[Tensor, ...]


@dataclass(frozen=True)
class Clip:
    """A batch of fixed-length windows, ``frameskip`` steps from one observation to the next.

    Attributes:
        observation: Per modality ``[B, T, ...]``, in its storage dtype; a series is
            ``[B, T, R, C]`` with the ``R`` latest samples at the time of each observation or before.
        action: ``[B, T - 1, frameskip * A]`` raw actions, one block for each interval.
        episode: ``[B]`` index of the episode of each window.
        start: ``[B]`` step at which each window starts.
        masks: What a masked model is to see and to predict; it does so once for each.
        views: Augmented pictures of the same windows, ``[B, V, C, H, W]`` for each size.
    """

    observation: Mapping[str, Tensor]
    action: Tensor
    episode: Tensor
    start: Tensor
    masks: tuple[Mask, ...] = ()
    views: tuple[Tensor, ...] = ()


@dataclass(frozen=True)
class Forecast:
    """What a world model makes of a clip; all that objectives read.

    Attributes:
        latents: ``[B, T, D]`` from the context encoder.
        targets: ``[B, T, D]`` from the target encoder (the same tensor where it is shared).
        actions: ``[B, T - 1, A']`` action blocks in the model's normalised units.
        predictions: ``predictions[k - 1]`` is ``[B, N_k, D]``, predicted ``k`` steps ahead from
            observations ``0 .. N_k - 1``, so that entry ``i`` is to match ``targets[:, i + k]``.
    """

    latents: Tensor
    targets: Tensor
    actions: Tensor
    predictions: tuple[Tensor, ...]


@dataclass(frozen=True)
class Completion:
    """What a masked model makes of a clip; all that masked objectives read.

    Attributes:
        latents: ``[B, N, D]`` of visible tokens, from the context encoder.
        predictions: ``[B, M, D']`` for each target block of each mask.
        targets: The same shapes: what was there.
        visible: Where asked for, ``[B, K, D']`` predicted for the visible tokens of each mask, else empty.
        visible_targets: The same shapes: what was there.
        distances: ``[B, K]`` for each of them, from the visible token to the nearest masked one, in tokens.
    """

    latents: Tensor
    predictions: tuple[Tensor, ...]
    targets: tuple[Tensor, ...]
    visible: tuple[Tensor, ...] = ()
    visible_targets: tuple[Tensor, ...] = ()
    distances: tuple[Tensor, ...] = ()


@dataclass(frozen=True)
class Views:
    """What a joint embedding makes of augmented views; all that objectives over views read.

    Attributes:
        latents: ``[B, V, D]``, one latent for each view of each item.
        whole: How many of the views, the first ones, are global: they show most of a picture.
    """

    latents: Tensor
    whole: int


@dataclass(frozen=True)
class Motion:
    """What a model of motion and content makes of pairs of pictures; all that objectives over motion read.

    A flow holds a vector ``(x right, y down)`` for each place of one picture of a pair: where it was, or will be, in
    the other. Direction 0 looks from the second picture back to the first, direction 1 the other way round; ``R``
    directions were asked for, 0 to 2. Levels run from the coarsest to the finest.

    Attributes:
        latents: ``[B, V, D]``, one latent for each view of each item.
        whole: How many of the views, the first ones, are global.
        pictures: ``[B, 2, C, H, W]`` pictures of the pairs, grey levels from 0 to 1; empty with ``R = 0``.
        features: ``[B, 2, C', h, w]`` for each level; none with ``R = 0``.
        flows: ``[B, R, 2, h, w]`` for each level, in places of that level.
        flow: ``[B, R, 2, H, W]``, the finest of them at full size, in pixels.
    """

    latents: Tensor
    whole: int
    pictures: Tensor
    features: tuple[Tensor, ...]
    flows: tuple[Tensor, ...]
    flow: Tensor


@dataclass(frozen=True)
class Iteration:
    """One round of a planner, for people to look at.

    Attributes:
        best: ``[B]`` lowest energy so far.
        mean: ``[B]`` mean of the finite energies of this round; NaN where there is none.
        elite: ``[B, H, A]`` mean of the search distribution after the round.
        spread: ``[B, H, A]`` its standard deviation (probability for a discrete space).
        rejected: ``[B]`` number of candidates whose energy was not finite.
    """

    best: Tensor
    mean: Tensor
    elite: Tensor
    spread: Tensor
    rejected: Tensor


@dataclass(frozen=True)
class Plan:
    """What a planner found.

    Attributes:
        actions: ``[B, H, A]`` raw actions inside the action space.
        energy: ``[B]`` their energy.
        trace: One entry for each iteration.
        evaluations: Candidates scored for each element of the batch.
    """

    actions: Tensor
    energy: Tensor
    trace: tuple[Iteration, ...]
    evaluations: int


class Masking(Protocol):
    """Draws masks over a grid of tokens. Holds configuration, never state."""

    def __call__(self, grid: tuple[int, ...], batch: int, *, seed: int, rank: int = 0) -> tuple[Mask, ...]:
        """Masks for ``batch`` items.

        Args:
            grid: Tokens along each axis: ``(H, W)``, ``(T, H, W)`` or ``(T,)``; indices count in C order.
            batch: Items ``B``.
            seed: All randomness is drawn from it: sizes, and so the shape of every tensor, from it alone.
            rank: Process of a distributed run: places differ from one to the next.

        Raises:
            ConfigError: if the grid has another number of axes than the method masks, or is too small for it.
        """


class Transform(Protocol):
    """What is done to a batch before a model sees it: augmentation, masks. Holds configuration, never state."""

    def __call__(self, clip: Clip, *, seed: int, rank: int) -> Clip:
        """The batch as the model is to see it; all randomness is drawn from ``seed`` and ``rank``."""


class Score(Protocol):
    """The energy of candidate actions; the only thing a planner knows about a world."""

    def __call__(self, actions: Tensor, /) -> Tensor:
        """``[B, S, H, A]`` raw actions to energies ``[B, S]``, low is good."""


class Planner(Protocol):
    """Searches an action space for a sequence of low energy. Holds configuration, never state."""

    def __call__(
        self,
        score: Score,
        space: ActionSpace,
        *,
        horizon: int,
        batch: int,
        generator: Generator,
        warm_start: Tensor | None = None,
        proposals: Tensor | None = None,
    ) -> Plan:
        """Plan for ``batch`` worlds at once.

        Args:
            score: Energy of candidates.
            space: The space of one row of a plan.
            horizon: Rows ``H`` of a plan.
            batch: Worlds ``B``.
            generator: The only source of randomness; its device is where the search runs.
            warm_start: ``[B, H, A]`` where to start the search.
            proposals: ``[B, P, H, A]`` candidates to score in the first round.

        Raises:
            PlanningError: if no candidate of some world has a finite energy.
        """


class Cost(Protocol):
    """A hand-written energy of rollouts."""

    def __call__(self, latents: Tensor, actions: Tensor, goal: Tensor | None) -> Tensor:
        """Energies ``[B, S]`` of rollouts.

        Args:
            latents: ``[B, S, H, D]`` imagined latents.
            actions: ``[B, S, H, A]`` the raw action blocks that lead to them.
            goal: ``[B, D]`` the latent of the goal, where the agent was given one.
        """


@dataclass(frozen=True)
class Verdict:
    """What an agent says of its own decision.

    Attributes:
        ok: The decision can be acted upon.
        surprise: ``[B]`` energy of what was observed under what had been predicted; NaN before the first prediction.
        reason: Why not, in words; empty when ``ok``.
    """

    ok: bool
    surprise: npt.NDArray[np.float32]
    reason: str = ""


@dataclass(frozen=True)
class Transition:
    """What a batch of worlds did in one step.

    Attributes:
        observation: Per modality ``[B, ...]``.
        terminated: ``[B]`` the world ended the episode.
        truncated: ``[B]`` a time limit ended it.
    """

    observation: Observation
    terminated: npt.NDArray[np.bool_]
    truncated: npt.NDArray[np.bool_]


class Environment(Protocol):
    """A batch of worlds in lock-step."""

    @property
    def spec(self) -> Spec:
        """What one world shows and accepts."""

    @property
    def num_envs(self) -> int:
        """Worlds in the batch, ``B``."""

    def reset(self, seed: int | Sequence[int]) -> Observation:
        """Start new episodes, a pure function of ``seed``.

        Args:
            seed: One for the batch, or one for each world: the episode of a world is then a function of
                its own seed, whatever the rest of the batch.
        """

    def step(self, action: npt.NDArray[np.float32]) -> Transition:
        """Apply ``action [B, A]`` (one-hot for a discrete space), clipped to the action space.

        A world that has ended stays as it ended, flags included, until the next reset.
        """

    def labels(self) -> Mapping[str, Array]:
        """Physical quantities ``[B, ...]`` for probes; a model never sees them."""

    def close(self) -> None:
        """Free what the worlds hold."""


class Actor(Protocol):
    """Anything that acts: an agent, an amortised policy, a floor. Its state is a value that you pass."""

    def start(self, *, seed: int, batch: int = 1, goal: Observation | None = None) -> Any:
        """The state of ``batch`` new episodes, with goals ``[B, ...]`` where the task has them."""

    def act(self, state: Any, observation: Observation) -> tuple[npt.NDArray[np.float32], Verdict, Any]:
        """Actions ``[B, A]`` for observations ``[B, ...]``, what to think of them, and the next state."""


@dataclass(frozen=True)
class TaskRules:
    """What counts as success: fixed before anything is tuned.

    Attributes:
        radius: A task is solved within this distance of its goal.
        budget: Steps an agent may take.
        success_at: ``last``: solved when the budget is spent; ``any``: solved at some step.
        unit: The unit of ``radius``.
    """

    radius: float
    budget: int
    success_at: Literal["last", "any"]
    unit: str


@dataclass(frozen=True)
class Tasks:
    """Pairs of a start and a goal: states ``[n, ...]`` of the same world."""

    start: State
    goal: State

    def __len__(self) -> int:
        return len(next(iter(self.start.values())))


class GoalEnvironment(Environment, Protocol):
    """An environment whose states can be drawn, shown, set and compared: what evaluation needs."""

    @property
    def rules(self) -> TaskRules:
        """What counts as success."""

    def tasks(self, count: int, seed: int) -> Tasks:
        """Draw start and goal pairs, none of them solved at the start."""

    def begin(self, state: State) -> Observation:
        """Start an episode in each given state; the batch takes its size."""

    def observe(self, state: State) -> Observation:
        """What the given states look like; the running episodes are untouched."""

    def state(self) -> State:
        """The current state of each world."""

    def distance(self, state: State, goal: State) -> npt.NDArray[np.float64]:
        """``[B]`` distance to the goal in the unit of the rules."""

    def simulate(self, state: State, actions: npt.NDArray[np.float32]) -> State:
        """The true dynamics: states ``[B, H, ...]`` that actions ``[B, H, A]`` lead to."""

    def expert(self, state: State, goal: State) -> npt.NDArray[np.float32]:
        """``[B, A]`` an action towards the goal that knows the state; a reference, not a competitor."""
