"""Results that grow run by run, so that a study goes on where it stopped, in as many processes as there are cores."""

import fcntl
import json
import os
import sys
from pathlib import Path
from typing import Any

import tacit as tc


class Record:
    """A result file: settings, and sections that map the name of a run to what was found.

    Every entry keeps versions and revision of what made it. Entries of other settings are never overwritten: the study
    stops and says which settings differ.

    Args:
        path: The file.
        settings: What has to be equal for results to belong together: plain values.
    """

    def __init__(self, path: Path, settings: dict[str, Any]) -> None:
        self.path, self.settings = path, json.loads(json.dumps(settings))
        kept = self.read().get("settings", self.settings)
        different = [name for name in {**kept, **self.settings} if kept.get(name) != self.settings.get(name)]
        if different:
            sys.exit(
                f"{path} holds results of other settings ({', '.join(different)}): move it, or give --results FILE."
            )

    def read(self) -> dict[str, Any]:
        """Everything as it is on disk now; another process may have added to it."""
        found: dict[str, Any] = json.loads(self.path.read_text()) if self.path.exists() else {}
        return found

    def section(self, name: str) -> dict[str, Any]:
        """The entries of one section."""
        found: dict[str, Any] = self.read().get(name, {})
        return found

    def add(self, section: str, name: str, value: dict[str, Any], **derived: Any) -> None:
        """Keep what was found; ``derived`` are sections computed from all of it, replaced as they are."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)  # until it is closed
            now = {"settings": self.settings, **self.read()}
            now.setdefault(section, {})[name] = {**value, "made_by": tc.checkpoint.provenance()}
            fresh = self.path.with_suffix(".part")
            fresh.write_text(json.dumps({**now, **derived}, indent=2) + "\n")
            fresh.replace(self.path)
        finally:
            os.close(folder)
