"""The kernels that are fastest on this machine, measured once."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from time import perf_counter

import torch

from tacit._config import from_json
from tacit._files import cache_folder, locked, read_json, write_atomically
from tacit._resources import processor
from tacit.errors import TacitError

__all__ = ["KernelChoice", "kernel_choice"]

FILE = "kernels.json"
ROWS, WIDTH, REPEATS = 1024, 256, 9
"""The measured product, of the size of a layer of a small world model for one world's candidates."""
CLEARLY = 1.25
"""The least speed-up for which another kernel is taken."""


@dataclass(frozen=True)
class KernelChoice:
    """The kernels that are fastest on a machine.

    Attributes:
        packed: PyTorch's own products of float32 are not clearly faster than those with packed weights.
        low_precision: Products of bfloat16 are clearly faster than those of float32.
    """

    packed: bool
    low_precision: bool


@cache
def kernel_choice() -> KernelChoice:
    """Return the fastest kernels of this machine.

    They are measured once and kept in the cache folder, so that all processes use the same: another kernel rounds
    differently. Where nothing can be kept, the choice follows from the instructions of the CPU alone.
    """
    file = cache_folder() / FILE
    key = "; ".join(
        [
            processor(),
            f"torch {torch.__version__}",
            torch.backends.cpu.get_cpu_capability(),
            "bfloat16" if _has_bfloat16() else "no bfloat16",
            os.environ.get("ONEDNN_MAX_CPU_ISA", ""),
        ]
    )
    if known := _kept(file).get(key):
        return known
    try:
        with locked(file.with_suffix(".lock")):
            kept = _kept(file)
            if key not in kept:
                kept[key] = _measured()
                write_atomically(file, json.dumps({name: asdict(one) for name, one in kept.items()}, indent=1))
            return kept[key]
    except OSError:
        return KernelChoice(packed=True, low_precision=_has_bfloat16())


def _kept(file: Path) -> dict[str, KernelChoice]:
    """Return the choices in a file by machine; none if it cannot be read."""
    try:
        return {name: from_json(KernelChoice, one, FILE) for name, one in read_json(file).items()}
    except (AttributeError, OSError, TypeError, ValueError, TacitError):
        return {}


def _has_bfloat16() -> bool:
    """Return whether the CPU multiplies bfloat16 by itself."""
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()) and bool(torch.cpu._is_avx512_bf16_supported())


def _measured() -> KernelChoice:
    """Return the choice after a few products of each kind, about 20 ms."""
    x, weight, bias = torch.randn(ROWS, WIDTH), torch.randn(WIDTH, WIDTH), torch.randn(WIDTH)
    with torch.no_grad():
        seconds = {"plain": _seconds(lambda: torch.nn.functional.linear(x, weight, bias))}
        for name, dtype in (("packed", torch.float32), ("low", torch.bfloat16)):
            if dtype == torch.bfloat16 and not _has_bfloat16():
                continue
            packed, offset = torch.ops.mkldnn._reorder_linear_weight(weight.to(dtype)), bias.to(dtype)
            seconds[name] = _seconds(
                lambda packed=packed, offset=offset, dtype=dtype: torch.ops.mkldnn._linear_pointwise(  # type: ignore[misc]
                    x.to(dtype), packed, offset, "none", [], ""
                ).float()
            )
    float32 = min(seconds["plain"], seconds["packed"])
    return KernelChoice(
        packed=seconds["packed"] <= CLEARLY * seconds["plain"],
        low_precision=CLEARLY * seconds.get("low", float("inf")) <= float32,
    )


def _seconds(product: Callable[[], object]) -> float:
    """Return the shortest duration of a product."""
    found = []
    for _ in range(REPEATS):
        began = perf_counter()
        product()
        found.append(perf_counter() - began)
    return min(found)
