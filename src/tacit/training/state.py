"""The state of a training run, for an exact resume."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tacit import checkpoint
from tacit._config import from_json
from tacit._version_0_1 import current
from tacit.errors import CheckpointError, ConfigError, TrainingError
from tacit.models import Model
from tacit.objectives import Objective
from tacit.training.config import TrainingConfig
from tacit.training.optimizer import adamw

__all__ = ["ResumeWarning", "State", "continued_run"]

PART = "training"
RENAMED = {"Augmented": "Augment", "Viewed": "MakeViews", "Masked": "DrawMasks"}
"""Transforms by their names in version 0.1, which the checkpoints of its runs hold."""


@dataclass(frozen=True)
class _Written:
    """The JSON content of the checkpoint part."""

    step: int
    run: Mapping[str, Any]
    surroundings: Mapping[str, Any]

    def __post_init__(self) -> None:
        if self.step < 0:
            raise ConfigError(f"a training has done 0 or more steps; got step={self.step}.")


class ResumeWarning(UserWarning):
    """A run resumes with other versions, threads or device: its numbers may differ in the last bits."""


class State:
    """The weights, the optimiser and the number of completed steps, as in a checkpoint of a run.

    It holds no random state: every draw of a step is a function of the seed and the step.

    Args:
        model: The model.
        objective: The objective, whose heads are trained too.
        config: The options.
        run: The identity of the run, as JSON values: it must be equal on resume.
    """

    def __init__(self, model: Model, objective: Objective, config: TrainingConfig, run: Mapping[str, Any]) -> None:
        self.model, self.objective = model, objective
        self.step = self.saved = 0
        self.run = json.loads(json.dumps(run))
        named = {"model": model, "objective": objective}
        self.parameters = {
            f"{owner}.{name}": parameter
            for owner, module in named.items()
            for name, parameter in module.named_parameters()
            if parameter.requires_grad
        }
        self.optimizer = adamw(self.parameters.values(), config.lr, config.weight_decay, config.betas)

    def save(self, path: Path) -> None:
        """Write a checkpoint.

        Raises:
            TrainingError: if a weight is not finite; the existing checkpoint stays.
        """
        for name, parameter in self.parameters.items():
            if not parameter.isfinite().all():
                raise TrainingError(
                    f"{name} is not finite after step {self.step - 1}; {path} is the last good checkpoint.",
                    code="T06",
                )
        tensors = {f"objective.{name}": value for name, value in self.objective.state_dict().items()}
        for name, parameter in self.parameters.items():
            # A loaded optimiser lists its tensors in another order than a new one.
            for key, value in sorted(self.optimizer.state[parameter].items()):
                tensors[f"optimizer.{name}.{key}"] = value
        described = {"step": self.step, "run": self.run, "surroundings": self._surroundings()}
        checkpoint.save(path, self.model, {PART: checkpoint.Part(described, tensors)})

    def resume(self, path: Path) -> None:
        """Load the state from a checkpoint of the same run, or of one complete after fewer steps.

        Raises:
            CheckpointError: if it is damaged, or of a run with other options.
        """
        found = checkpoint.load(path, ["model", PART])
        part = found.parts[PART]
        try:
            written = from_json(_Written, part.config, where=f"{path}: {PART}")
        except ConfigError as error:
            raise CheckpointError(f"{error} The checkpoint is damaged or of another version of Tacit.") from error
        before = written.run
        if isinstance(before.get("model"), Mapping):
            before = {**before, "model": current(checkpoint.kind_of(self.model), before["model"])}
        self.run = continued_run(self.run, before, written.step, path)
        self._warn_of(written.surroundings)
        checkpoint.restore(self.model, found.parts["model"].tensors, str(path))
        checkpoint.restore(self.objective, _below("objective.", part.tensors), str(path))
        saved = self.optimizer.state_dict()
        names = {id(parameter): name for name, parameter in self.parameters.items()}
        order = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
        for index, parameter in enumerate(order):
            entries = _moments(names[id(parameter)], parameter, part.tensors, path)
            # The fused optimiser reads its moments in the order in which the weights lie in memory.
            saved["state"][index] = {
                key: value.clone() if value.ndim == 0 else torch.empty_like(parameter).copy_(value)
                for key, value in entries.items()
            }
        self.optimizer.load_state_dict(saved)
        self.step = self.saved = written.step

    def _surroundings(self) -> dict[str, Any]:
        return {
            "versions": checkpoint.provenance()["versions"],
            "threads": torch.get_num_threads(),
            "device": self.model.device.type,
        }

    def _warn_of(self, before: Mapping[str, Any]) -> None:
        now = self._surroundings()
        changed = [f"{name} was {before.get(name)} and is {now[name]}" for name in now if before.get(name) != now[name]]
        if changed:
            warnings.warn(
                f"this run started under other conditions: {'; '.join(changed)}. It goes on, but not bit for bit.",
                ResumeWarning,
                stacklevel=4,
            )


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _moments(name: str, parameter: Tensor, tensors: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    """Return the optimiser's moments of a parameter; empty if it was never updated.

    Raises:
        CheckpointError: if a tensor is missing, unknown or of another shape.
    """
    entries = _below(f"optimizer.{name}.", tensors)
    wrong = set(entries) ^ {"step", "exp_avg", "exp_avg_sq"} if entries else set()
    wrong |= {key for key, value in entries.items() if value.shape not in (parameter.shape, ()) or value.is_complex()}
    wrong |= {key for key in ("exp_avg", "exp_avg_sq") if key in entries and entries[key].shape != parameter.shape}
    if wrong:
        raise CheckpointError(
            f"the state of the optimiser in {path} is not that of this model: look at "
            f"{', '.join(sorted(wrong))} of {name}. The checkpoint is damaged."
        )
    return entries


def _with_new_names(run: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the description of a run of version 0.1 with the present names of transforms."""
    transforms = run.get("transforms")
    if not isinstance(transforms, list):
        return run
    return {**run, "transforms": [_with_new_name(str(one)) for one in transforms]}


def _with_new_name(transform: str) -> str:
    name, bracket, options = transform.partition("(")
    return f"{RENAMED.get(name, name)}{bracket}{options}"


def continued_run(now: Mapping[str, Any], before: Mapping[str, Any], done: int, path: Path) -> dict[str, Any]:
    """Return the description of the continued run.

    A complete run may continue for more steps. ``extended`` lists the numbers of steps after which it was complete.

    Raises:
        CheckpointError: if the checkpoint is of another run.
    """
    before = _with_new_names(before)
    extended = before.get("extended", [])
    if not isinstance(extended, list):
        raise CheckpointError(f"{path} is damaged: 'extended' of its run must be a list of steps.")
    if before.get("steps") == done < now["steps"]:
        before, extended = {**before, "steps": now["steps"]}, [*extended, done]
    now = {**now, **({"extended": extended} if extended else {})}
    before = {**before, **({"extended": extended} if extended else {})}
    different = [key for key in {**now, **before} if now.get(key) != before.get(key)]
    if different:
        key = different[0]
        raise CheckpointError(
            f"{path} is of a run with {key}={before.get(key)!r}; this one has {key}={now.get(key)!r}. "
            "Train to another directory, or pass resume=False to start this one anew."
        )
    return now
