"""Manifest of a study: cases with their settings, seeds, data, budget, measurement and report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Generic, TypeVar

from tacit._config import from_json, to_json
from tacit._registry import suggest
from tacit.errors import ConfigError

__all__ = ["Budget", "Report", "Run", "RunResult", "Study", "Target", "by_case"]

S = TypeVar("S")


@dataclass(frozen=True)
class Budget:
    """Resources of one run.

    Attributes:
        threads: Threads of torch; not a setting that results depend on.
        steps: Updates of a training; None if the recipe decides.
        operations: Floating-point operations of a training; None for no limit.
    """

    threads: int = 1
    steps: int | None = None
    operations: float | None = None


@dataclass(frozen=True)
class Run(Generic[S]):
    """One case of a study with one seed, as the measurement gets it.

    Attributes:
        name: ``CASE/SEED``, or the case alone in a study without seeds.
        settings: The settings of the case.
        seed: The seed; 0 in a study without seeds.
        budget: The budget of the study.
        data: The folder of the data.
        work: A folder of this run for files such as checkpoints. An interrupted run finds it again.
        shared: A folder for files that runs share.
    """

    name: str
    settings: S
    seed: int
    budget: Budget
    data: Path
    work: Path
    shared: Path


@dataclass(frozen=True)
class RunResult:
    """Recorded run.

    Attributes:
        settings: The settings, budget and data hashes that it was made with.
        values: JSON values of the measurement.
        made_by: Versions, git revision, processor, load average and CPU seconds.
    """

    settings: Mapping[str, Any]
    values: Mapping[str, Any]
    made_by: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Target:
    """Row of the table of targets: the quantity, its target, the measured value and the verdict."""

    quantity: str
    target: str
    measured: str
    verdict: str


@dataclass(frozen=True)
class Report:
    """Tables of a study in Markdown, and its targets."""

    tables: Sequence[str]
    targets: Sequence[Target] = ()


@dataclass(frozen=True)
class Study(Generic[S]):
    """Manifest of a study.

    Attributes:
        name: The name of its result file.
        title: The heading of its section.
        summary: One line: the task, the data and the protocol.
        measure: The measurement of one run; returns values that :func:`tacit.reports.plain` converts to JSON.
        cases: Settings by the name of the case: frozen dataclasses of JSON values.
        seeds: Seeds of each case; empty for a study without seeds.
        seeds_of: Seeds of some cases, in place of ``seeds``.
        data: SHA-256 of each dataset that is read, by its path inside the folder of the data.
        budget: Resources of each run.
        report: The tables of the recorded runs.
        command: The command that runs the study, for its section.
    """

    name: str
    title: str
    summary: str
    measure: Callable[[Run[S]], Mapping[str, Any]]
    cases: Mapping[str, S]
    seeds: Sequence[int] = ()
    seeds_of: Mapping[str, Sequence[int]] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)
    budget: Budget = Budget()
    report: Callable[[Mapping[str, RunResult]], Report] = lambda _: Report(())
    command: str = ""

    def __post_init__(self) -> None:
        if not self.cases:
            raise ConfigError(f"the study {self.name!r} has no case. Give settings by name, cases={{'base': ...}}.")
        for name in self.seeds_of:
            if name not in self.cases:
                raise ConfigError(f"seeds_of names the case {name!r}.{suggest(name, self.cases)}")

    def runs(self, only: Sequence[str] = (), seeds: Sequence[int] | None = None) -> Iterator[tuple[str, str, int]]:
        """Yield name, case and seed of each run, seed by seed.

        Args:
            only: Names or patterns of cases, such as ``"reacher/*"``; empty for all.
            seeds: Seeds to select; None for all.

        Raises:
            ConfigError: if a pattern fits no case, or a seed is not one of the study.
        """
        known_seeds = {seed for some in (self.seeds, *self.seeds_of.values()) for seed in some}
        if unknown := sorted({*(seeds or ())} - known_seeds):
            raise ConfigError(f"the study {self.name!r} has the seeds {sorted(known_seeds)}; got {unknown}.")
        for pattern in only:
            if not any(fnmatch(case, pattern) for case in self.cases):
                known = suggest(pattern, self.cases) or f" It has {', '.join(self.cases)}."
                raise ConfigError(f"the study {self.name!r} has no case {pattern!r}.{known}")
        chosen = [case for case in self.cases if not only or any(fnmatch(case, pattern) for pattern in only)]
        if not self.seeds:
            yield from ((case, case, 0) for case in chosen)
            return
        for seed in sorted(known_seeds if seeds is None else seeds):
            yield from (
                (f"{case}/{seed}", case, seed) for case in chosen if seed in self.seeds_of.get(case, self.seeds)
            )

    def settings(self, case: str) -> dict[str, Any]:
        """Return what identifies the results of a case: its settings, the budget and the hashes of the data."""
        budget = {name: value for name, value in asdict(self.budget).items() if name != "threads" and value is not None}
        optional = {"budget": budget, "data": dict(self.data)}
        return {**to_json(self.cases[case]), **{name: value for name, value in optional.items() if value}}

    def override(self, options: Mapping[str, Any]) -> Study[S]:
        """Return the study with other settings in all of its cases, by name; ``budget.steps`` is one of the budget."""
        budget = {name.removeprefix("budget."): value for name, value in options.items() if name.startswith("budget.")}
        own = {name: value for name, value in options.items() if not name.startswith("budget.")}
        cases = {
            name: from_json(type(case), {**to_json(case), **own}, f"case {name!r}") for name, case in self.cases.items()
        }
        return replace(self, cases=cases, budget=from_json(Budget, {**asdict(self.budget), **budget}, "budget"))


def by_case(results: Mapping[str, RunResult]) -> dict[str, dict[str, RunResult]]:
    """Return the results of a study with seeds by case, then by seed."""
    found: dict[str, dict[str, RunResult]] = {}
    for name, result in sorted(results.items()):
        case, _, seed = name.rpartition("/")
        found.setdefault(case, {})[seed] = result
    return found
