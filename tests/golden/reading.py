"""Golden files as tests use them."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

LIMIT = 1e-5


@dataclass(frozen=True)
class Golden:
    """One file: the reference's configuration, its weights under its own names, and inputs and outputs."""

    config: dict[str, Any]
    weights: dict[str, Tensor]
    values: dict[str, Tensor]


def golden(name: str) -> Golden:
    with np.load(Path(__file__).with_name(f"{name}.npz")) as file:
        arrays = dict(file)
    config = json.loads(str(arrays.pop("config")))
    tensors = {key: torch.from_numpy(value) for key, value in arrays.items()}
    weights = {key.removeprefix("weight/"): value for key, value in tensors.items() if key.startswith("weight/")}
    return Golden(config, weights, {key: value for key, value in tensors.items() if not key.startswith("weight/")})


def assert_golden(ours: Tensor, theirs: Tensor) -> None:
    assert ours.shape == theirs.shape
    assert (ours.detach() - theirs).abs().max().item() < LIMIT
