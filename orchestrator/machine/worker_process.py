"""One worker process under a supervisor, which hands it a request as JSON."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.terminal import console
from orchestrator.terminal.streams import fill_missing_streams, keep_control_characters_off
from storage.own_processes import make_command
from storage.states import StudyState
from storage.wording import say_duration
from workers.device.spared_imports import spare_imports

if TYPE_CHECKING:
    from storage.database.engine import Database

PROGRAM = (
    "import signal; signal.signal(signal.SIGINT, signal.SIG_DFL); "
    "from orchestrator.machine.worker_process import main; main()"
)
"""What the process runs. Told to stop while it imports, it ends: nothing has been begun, and no traceback is of use."""

ADVICE_SECONDS = 5.0
"""What is said at the end needs the database, and waits no longer for it."""


@dataclass(frozen=True)
class Request:
    """What a worker process is asked to do. The storage URL may hold a password and goes by the environment.

    Attributes:
        name: the study; None for every open study whose data is here.
        data: dataset folders given on the command line.
        forever: wait for new studies instead of leaving.
        grace: seconds to finish the epoch in when told to stop.
        device: what it computes on, for people.
        per_device: how many processes share that.
        at_once: how many trials it works on at the same time.
        notify: file descriptor of the supervisor's pipe.
        waits: wait for a database that is away at the start, too.
        restarted: this process takes the place of one that ended, which the server had let in.
        supervisor: the process id of the supervisor, without which this process must not live.
        debug: show tracebacks.
    """

    name: str | None
    data: tuple[str, ...]
    forever: bool
    grace: float
    device: str = "CPU"
    per_device: int = 1
    at_once: int = 1
    notify: int = -1
    waits: bool = False
    restarted: bool = False
    supervisor: int = 0
    debug: bool = False

    def to_command(self) -> list[str]:
        """The command line of the process."""
        return make_command(PROGRAM, json.dumps(asdict(self)))


@dataclass
class _Progress:
    """How far the process came.

    Attributes:
        is_at_work: the database was opened: what is away from then on will come back.
    """

    is_at_work: bool = False


def main() -> None:
    """Run one worker and leave with its exit code."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    fill_missing_streams()
    keep_control_characters_off()
    spare_imports()
    request = Request(**json.loads(sys.argv[1]))
    _end_with_the_supervisor(request.supervisor)
    progress = _Progress()
    try:
        code = _work(request, progress)
    except BaseException as error:
        code = _report(error, request, at_work=request.waits or progress.is_at_work)
    sys.stdout.flush()
    sys.stderr.flush()
    # Not sys.exit: TensorFlow's threads may crash while the interpreter is taken down, and the work is done.
    os._exit(code)


def _work(request: Request, progress: _Progress) -> int:
    from orchestrator.machine.outlook import Outlook
    from orchestrator.studies.publishing import make_publisher
    from orchestrator.terminal.opening import open_storage
    from orchestrator.terminal.stages import show_stages
    from storage.database.opening import require_writable
    from storage.database.waiting import wait_for
    from storage.settings import artifacts_folder, cache_folder, data_folders
    from workers.process.circumstances import Circumstances
    from workers.process.messages import CRASHED
    from workers.process.worker import draining_on_signals, run_worker

    stop = threading.Event()
    with ExitStack() as stack:
        received = stack.enter_context(
            draining_on_signals(
                stop,
                console.say,
                grace_seconds=request.grace,
                at_once=request.at_once,
                is_supervised=request.notify >= 0,
            )
        )
        opened = lambda _: stack.enter_context(open_storage(None))  # noqa: E731
        database = (
            wait_for(opened, stopped=stop.is_set, refused_too=request.restarted, sleep=stop.wait)
            if request.waits
            else opened(0)
        )
        if not request.waits:
            require_writable(database)
        progress.is_at_work = True
        outlook = Outlook(database)
        here = Circumstances(
            database,
            stop,
            tell=console.say,
            report=stack.enter_context(show_stages()),
            device=request.device,
            per_device=request.per_device,
            at_once=request.at_once,
            artifacts=artifacts_folder(),
            notify=lambda kind, name: _notify(request.notify, kind, name),
            after_trial=make_publisher(database),
            outlook=outlook.after_trial,
            meanwhile=outlook.meanwhile,
            grace_seconds=request.grace,
            is_replaceable=request.notify >= 0,
            hung=lambda: os._exit(CRASHED),
            overdue=lambda: os._exit(128 + (received[0] if received else signal.SIGTERM)),
        )
        summary = run_worker(
            here,
            [request.name] if request.name else None,
            data_folders([Path(folder) for folder in request.data]),
            cache_folder(),
            forever=request.forever,
        )
        if request.name:
            advice = _tell_what_comes_next(database, request.name, drained=bool(received))
        else:
            advice = "" if received or summary.studies else _tell_why_idle(database)
    console.say(
        f"{'In this run: ' if received else ''}{summary.complete} complete, {summary.pruned} pruned, {summary.failed} failed in "
        f"{say_duration(summary.seconds)}."
    )
    if advice:
        console.say(advice)
    return 128 + received[0] if received else 0


def _tell_what_comes_next(database: Database, name: str, *, drained: bool) -> str:
    """Why there is nothing more to do, or how to go on; without it, a worker that did nothing seems to fail."""
    from orchestrator.studies.next_steps import tell_left, tell_settled, tell_stopped
    from storage.database.deadlines import answering_within
    from storage.database.trouble import described
    from storage.errors import DatabaseAwayError, StudyNotFoundError
    from storage.studies.point_records import count_points
    from storage.studies.study import load_study

    try:
        with answering_within(ADVICE_SECONDS), described():
            study = load_study(database, name)
            counts = count_points(database, study.uuid)
    except (StudyNotFoundError, DatabaseAwayError):
        return ""  # deleted meanwhile, or nobody can tell; the work is done, and advice is worth no failure
    if counts.is_settled:
        return tell_settled(name, counts)
    if study.state == StudyState.STOPPED:
        return tell_stopped(name, counts)
    return tell_left(name, counts) if drained else ""


def _tell_why_idle(database: Database) -> str:
    """Why a worker that would take any study found none."""
    from orchestrator.studies.next_steps import tell_stopped
    from storage.database.deadlines import answering_within
    from storage.database.trouble import described
    from storage.errors import DatabaseAwayError
    from storage.studies.point_records import count_points
    from storage.studies.study import list_studies

    try:
        with answering_within(ADVICE_SECONDS), described():
            studies = list_studies(database)
            counts = {study.name: count_points(database, study.uuid) for study in studies}
    except DatabaseAwayError:
        return ""
    held = [
        study.name
        for study in studies
        if study.state == StudyState.STOPPED and not counts[study.name].is_settled
    ]
    if held:
        return "\n".join(tell_stopped(name, counts[name]) for name in held)
    return "" if studies else "There is no study yet. `orch study create` makes one."


def _report(error: BaseException, request: Request, *, at_work: bool) -> int:
    """Say what ended the worker; returns the exit code that tells the supervisor whether another one may do better."""
    from orchestrator.terminal.failures import report_error
    from storage.errors import DeviceSettledError, OrchError, SickProcessError, SpentProcessError
    from workers.process.messages import CRASHED, RENEWED

    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else 1
    if isinstance(error, KeyboardInterrupt):
        # Before the worker looks out for signals, or when it has ended.
        console.say("Stopped; no trial was being worked on.")
        return 128 + signal.SIGINT
    if isinstance(error, DeviceSettledError | SpentProcessError):
        console.say(f"{error.what} Starting a new process for the next trial.")
        return RENEWED
    if request.debug:
        import traceback

        traceback.print_exception(error)
    code = report_error(error, debug=request.debug)
    if isinstance(error, SickProcessError) or not isinstance(error, OrchError | OSError):
        return CRASHED
    return _find_code_of_trouble(error, code) if at_work else code


def _find_code_of_trouble(error: BaseException, code: int) -> int:
    """What ends a worker that is at work is its last word only where neither time nor another process can change it."""
    from storage.database.trouble import find_database_error, is_passing, may_only_read
    from storage.errors import DatabaseRefusedError
    from workers.process.blame import passes
    from workers.process.messages import AWAY, CRASHED

    found = find_database_error(error)
    if isinstance(found, DatabaseRefusedError):
        return code
    if found is not None:
        return AWAY if is_passing(found) else code if may_only_read(found) else CRASHED
    return AWAY if passes(error) else code


def _notify(pipe: int, kind: str, name: str) -> None:
    from workers.process.messages import pack_message

    if pipe >= 0:
        try:
            os.write(pipe, pack_message(kind, name))
        except OSError:
            return  # the supervisor is gone; SIGTERM is on its way


def _end_with_the_supervisor(supervisor: int) -> None:
    """Be told to stop when the supervisor is killed, also when it was before this line: nobody would pass signals on any more.

    Linux does so by itself; elsewhere a thread looks.

    Args:
        supervisor: its process id; 0 when there is none.
    """
    if not supervisor:
        return

    def leave_if_alone() -> bool:
        is_alone = os.getppid() != supervisor
        if is_alone:
            os.kill(os.getpid(), signal.SIGTERM)
        return is_alone

    def look() -> None:
        while not leave_if_alone():
            time.sleep(1.0)

    if sys.platform.startswith("linux"):
        import ctypes

        set_parent_death_signal = 1
        libc: Any = ctypes.CDLL(None)
        libc.prctl(set_parent_death_signal, int(signal.SIGTERM), 0, 0, 0)
        leave_if_alone()
    else:
        threading.Thread(target=look, name="orch-supervisor", daemon=True).start()
