"""Every failure as one clear message and an exit code: the one error boundary."""

from __future__ import annotations

import errno
import os

from orchestrator.terminal import console
from storage.errors import OrchError

FAILED = 1
"""The command failed; the message says why."""


def report_error(error: BaseException, *, debug: bool) -> int:
    """Print what a person needs to know of an error, and return the exit code it means."""
    if isinstance(error, OrchError):
        console.fail(error.what)
        for part in (error.why, error.next_step):
            if part:
                console.say(part)
        return error.exit_code
    if isinstance(error, OSError):
        return report_os_error(error)
    if isinstance(error, MemoryError):
        console.fail("There is not enough memory for this.")
        return FAILED
    if _is_of_the_device(error):
        return FAILED
    first_line = (str(error).strip().splitlines() or [""])[0]
    hint = "" if debug else " The same command with --debug shows where; please report it."
    console.fail(f"This is a defect in orch: {type(error).__name__}: {first_line}{hint}")
    return FAILED


def _is_of_the_device(error: BaseException) -> bool:
    """Say so where a backend met a device that is broken or full: that is no defect in orch."""
    from workers.process.blame import Fault, describe, find_fault

    fault = find_fault(error)
    if fault is Fault.DEVICE:
        console.fail(f"The device that this computes on does not work: {describe(error)}")
        console.say(
            "`orch doctor` and `nvidia-smi -q` check it; CUDA_VISIBLE_DEVICES=-1 JAX_PLATFORMS=cpu computes on the processor."
        )
    elif fault is Fault.MEMORY:
        console.fail(f"There is not enough memory for this: {describe(error)}")
        console.say("A smaller batch size needs less, or other programs use the memory (`nvidia-smi`).")
    return fault in (Fault.DEVICE, Fault.MEMORY)


def report_os_error(error: OSError) -> int:
    """Print what the operating system refused, and return the exit code."""
    place = f" ({error.filename})" if error.filename else ""
    if error.errno == errno.ENOENT and not error.filename and not _is_in_a_folder():
        text = "The folder in which this command was started is not there any more. Change to another one, and run the command again."
    elif error.errno in (errno.ENOSPC, errno.EDQUOT):
        text = f"The disk is full{place}. Make room and run the command again; what was finished is kept."
    else:
        text = f"{error.strerror or error}{place}."
    console.fail(f"{text}")
    return FAILED


def _is_in_a_folder() -> bool:
    try:
        os.getcwd()
    except OSError:
        return False
    return True
