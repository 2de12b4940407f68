"""Compiled programs kept on disk, so that a process that is started again, and the one beside it, compiles nothing.

JAX can do this by itself; what is settled here is where, and what may be trusted. Who can write into the folder can run code in
every process that reads it, so it belongs to the user alone. JAX takes a lock and bounds the folder only where a size is set, and it
never writes an entry again: one that was cut off by a kill would be met, and compiled around, for ever.
"""

from __future__ import annotations

import hashlib
import importlib
import logging
import os
import platform
import time
import zlib
from pathlib import Path

from filelock import FileLock, Timeout

from storage.errors import OrchError
from storage.settings import cache_folder, is_set

log = logging.getLogger(__name__)

MOST_BYTES = 2 * 1024**3
ENTRY, LAST_USE = "-cache", "-atime"
"""Endings of JAX's file names: a program, and when it was used."""
CHECKED = "checked"
"""A file whose time says up to when entries have been looked at."""
LOCK_SECONDS = 5.0
ZSTANDARD = b"\x28\xb5\x2f\xfd"


def keep_programs() -> None:
    """Let JAX keep what it compiles in the cache folder, unless the user named another place or the folder is not safe."""
    import jax

    if jax.config.jax_compilation_cache_dir or is_set("JAX_ENABLE_COMPILATION_CACHE"):
        return
    try:
        folder = cache_folder() / f"xla-{jax.__version__}-{name_processor()}"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not is_own(folder):
            log.warning("Compiled programs are not kept: others than you may write to %s.", folder)
            return
        drop_damaged(folder)
    except (OrchError, OSError):
        return  # The cache folder cannot be used; what needs it says so.
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_compilation_cache_max_size", MOST_BYTES)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def name_processor() -> str:
    """Eight digits for the kind of processor: a program that was compiled for one may not run on another."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    kinds = sorted({line for line in lines if line.startswith(("model name", "flags", "Features"))})
    return hashlib.sha256("\n".join([platform.machine(), *kinds]).encode()).hexdigest()[:8]


def is_own(folder: Path) -> bool:
    """Whether a folder belongs to this user, and no one else may write to it or read it."""
    status = folder.stat()
    return not hasattr(os, "getuid") or (status.st_uid == os.getuid() and not status.st_mode & 0o077)


def drop_damaged(folder: Path) -> list[str]:
    """Delete the entries that were not written to their end; those that were looked at before are not looked at again.

    Returns:
        The names of the files that were deleted.
    """
    mark = folder / CHECKED
    before, now = (mark.stat().st_mtime if mark.exists() else 0.0), time.time()
    fresh = [file for file in folder.glob(f"*{ENTRY}") if file.stat().st_mtime >= before - 1]
    damaged: list[str] = []
    if fresh:
        try:
            # JAX holds this lock while it writes.
            with FileLock(folder / ".lockfile", timeout=LOCK_SECONDS):
                damaged = [file.name for file in fresh if file.exists() and not is_whole(file.read_bytes())]
                for name in damaged:
                    (folder / name).unlink(missing_ok=True)
                    (folder / name.replace(ENTRY, LAST_USE)).unlink(missing_ok=True)
        except Timeout:
            return []
    mark.touch()
    os.utime(mark, (now, now))
    return damaged


def is_whole(entry: bytes) -> bool:
    """Whether a compressed entry can be read to its end; true where that cannot be said here."""
    if entry.startswith(ZSTANDARD):
        try:
            zstandard = importlib.import_module("zstandard")
        except ModuleNotFoundError:
            return True
        try:
            decompressor = zstandard.ZstdDecompressor().decompressobj()
            decompressor.decompress(entry)
        except zstandard.ZstdError:
            return False
        return bool(decompressor.eof)
    try:
        zlib.decompress(entry)
    except zlib.error:
        return False
    return True
