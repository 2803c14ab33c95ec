"""Model of the processor, and free memory, to refuse work that cannot fit before it begins."""

from __future__ import annotations

from pathlib import Path

__all__ = ["amount", "available_memory", "processor"]

CGROUPS = Path("/sys/fs/cgroup")


def available_memory() -> int | None:
    """Return the available bytes of memory of the machine and its container; None if unknown."""
    known = [size for size in (_machine(), _container()) if size is not None]
    return min(known, default=None)


def _machine() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, ValueError, IndexError, StopIteration):
        return None


def _container() -> int | None:
    """Return the bytes left by a control group's limit; files in memory count as free."""
    for limit, used, files in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "total_inactive_file"),
    ):
        try:
            most, taken = (int((CGROUPS / name).read_text()) for name in (limit, used))  # "max": no limit
            stat = (CGROUPS / used).with_name("memory.stat").read_text().splitlines()
            cached = sum(int(line.split()[1]) for line in stat if line.split()[0] == files)
        except (OSError, ValueError, IndexError):
            continue
        return max(most - taken + cached, 0)
    return None


def amount(size: float) -> str:
    """Return a number of bytes as text for messages."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= scale:
            return f"{size / scale:.1f} {unit}"
    return f"{int(size)} bytes"


def processor() -> str:
    """Return the model of the processor, or ``unknown``."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # not Linux
        lines = []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
