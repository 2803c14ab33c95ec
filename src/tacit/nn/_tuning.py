"""Process-wide settings for fast computation on the CPU."""

from __future__ import annotations

from tacit._threads import wait_passively

__all__ = ["tune_cpu"]


def tune_cpu() -> None:
    """Set the process-wide switches that make models fast on the CPU.

    :func:`tacit.train`, agents and the command line call it. Making or calling a model alone changes nothing outside of
    it. There are three switches, none of which changes results beyond rounding:

    - Rollouts use packed weights. PyTorch's optimizers get a global hook that counts their steps, since fused ones
      change weights without a trace; a packed copy is renewed after a step.
    - The C library keeps freed memory of up to 64 MB, which would cause page faults later.
    - Idle OpenMP threads sleep instead of spin, if PyTorch is not imported yet and ``OMP_WAIT_POLICY`` is not set.
    """
    wait_passively()
    # Imported here, because OpenMP reads its setting when PyTorch is imported.
    from tacit.nn.kernels import allow_packing
    from tacit.nn.linear import keep_freed_memory

    allow_packing()
    keep_freed_memory()
