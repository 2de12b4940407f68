"""What a worker process tells its supervisor, and with which code it leaves after a defect. Light to import."""

from __future__ import annotations

CLAIMED, PROGRESS, SETTLED = "claimed", "progress", "settled"
"""A trial was claimed; a trial was settled or given back; every point of a study is done or failed."""
GRACE_SECONDS = 30.0
"""How long finishing the epoch may take once told to stop."""
RENEWED = 71
"""Exit code of a worker whose next study must be computed in another way than its process can: start it again."""
CRASHED = 70
"""Exit code of a worker that met a defect (EX_SOFTWARE of sysexits.h); other codes are its last word."""
