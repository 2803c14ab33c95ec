"""Error handling around external code: environments, policies, plug-ins."""

from __future__ import annotations

import traceback
from itertools import pairwise
from multiprocessing.reduction import ForkingPickler
from types import TracebackType

from tacit.errors import TacitError

__all__ = ["foreign", "packed_error", "unpacked_error"]

Packed = list[tuple[bytes, str]]
"""Exception and its causes, each as bytes, if it can be pickled, and as text."""


class foreign:  # noqa: N801  # a context manager, written like one
    """Context manager that raises inner failures as an error that names the failed code.

    Tacit's own errors and interruptions pass unchanged. It is a class, not a generator, because it is entered at every
    step of an environment.

    Args:
        what: The inner code and its operation: ``"environment 'CartPole-v1', in step,"``.
        kind: The error to raise; the original one becomes its ``__cause__``.
        advice: Advice, appended to the message.
    """

    def __init__(self, what: str, kind: type[TacitError] = TacitError, advice: str = "") -> None:
        self.what, self.kind, self.advice = what, kind, advice

    def __enter__(self) -> None:
        """Enter external code."""

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Raise an error that names the failed code."""
        if isinstance(error, Exception) and not isinstance(error, TacitError):
            reason = f"{type(error).__name__}: {error}".removesuffix(": ")
            raise self.kind(f"{self.what} raised {reason}{f' {self.advice}' if self.advice else ''}") from error


def packed_error(error: BaseException) -> Packed:
    """Return an exception and its causes, each as text and, if it can be pickled, bytes; the first with traceback."""
    text = "".join(traceback.format_exception(error))
    chain: Packed = []
    link: BaseException | None = error
    while link is not None and len(chain) < 5:
        try:
            packed = bytes(ForkingPickler.dumps(link))
            ForkingPickler.loads(packed)
        except Exception:
            plain = TacitError(str(link)) if isinstance(link, TacitError) else RuntimeError(repr(link))
            packed = bytes(ForkingPickler.dumps(plain))
        chain.append((packed, text if link is error else repr(link)))
        link = link.__cause__
    return chain


def unpacked_error(chain: Packed) -> BaseException:
    """Return the exception of :func:`packed_error`, with linked causes and the worker's traceback as a note."""
    errors: list[BaseException] = []
    for packed, text in chain:
        try:
            errors.append(ForkingPickler.loads(packed))
        except Exception:  # a class that only the worker can import
            errors.append(RuntimeError(text))
    for error, cause in pairwise(errors):
        error.__cause__ = cause
    errors[0].add_note(f"In the worker process:\n{chain[0][1]}")
    return errors[0]
