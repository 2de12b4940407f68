"""The one error boundary, and how results are printed."""

import errno
import json
import shlex

import pytest

from dashboards.server.serve import is_local, refuse_changes
from orchestrator import cli
from orchestrator.planning.estimate import (
    PROGRAMS_PER_BATCH_SIZE,
    SECONDS_PER_PROGRAM,
    START_SECONDS,
    estimate_time,
)
from orchestrator.planning.plan import batch_warnings, plan_points
from orchestrator.planning.regimes import build_spec, regime_one
from orchestrator.terminal import console
from storage.errors import DataError, OrchError
from storage.spec import StudySpec, parse


def raising(error: BaseException) -> object:
    def command(*_: object, **__: object) -> None:
        raise error

    return command


@pytest.fixture
def failing_command(monkeypatch: pytest.MonkeyPatch) -> object:
    def install(error: BaseException) -> None:
        monkeypatch.setattr("orchestrator.terminal.opening.open_storage", raising(error))
        monkeypatch.setattr("orchestrator.commands.study.group.open_storage", raising(error))

    return install


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (OrchError("What.", why="Why.", next_step="Do."), 1, "orch: What.\nWhy.\nDo.\n"),
        (DataError("Bad row 3."), 2, "orch: Bad row 3.\n"),
        (OSError(errno.ENOSPC, "No space", "/x/y"), 1, "orch: The disk is full (/x/y)."),
        (PermissionError(errno.EACCES, "Permission denied", "/x/y"), 1, "orch: Permission denied (/x/y).\n"),
        (ZeroDivisionError("by zero"), 1, "orch: This is a defect in orch: ZeroDivisionError: by zero"),
        (KeyboardInterrupt(), 130, ""),
        (BrokenPipeError(), 1, ""),
    ],
)
def test_every_failure_is_one_message_and_an_exit_code(
    failing_command: object,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
    text: str,
) -> None:
    monkeypatch.setattr(cli, "_forget_stdout", lambda: None)
    failing_command(error)  # type: ignore[operator]
    assert cli.run(["study", "list"]) == code
    printed = capsys.readouterr()
    assert printed.err.startswith(text)
    assert "Traceback" not in printed.err
    assert printed.out == ""


@pytest.mark.parametrize("arguments", [["--debug", "study", "list"], ["study", "list", "--debug"]])
def test_a_traceback_only_with_debug(
    failing_command: object, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    failing_command(ZeroDivisionError("by zero"))  # type: ignore[operator]
    assert cli.run(arguments) == 1
    assert "Traceback" in capsys.readouterr().err


def test_json_has_no_nan(capsys: pytest.CaptureFixture[str]) -> None:
    console.print_json({"a": float("nan"), "b": [float("inf"), 1.5], "c": {"ä": (1, None)}})
    assert json.loads(capsys.readouterr().out) == {"a": None, "b": [None, 1.5], "c": {"ä": [1, None]}}


def test_a_table_off_a_terminal_is_aligned_plain_text(capsys: pytest.CaptureFixture[str]) -> None:
    console.print_table(("name", "value"), [["a", 0.5], ["longer [red]", None]], title="T")
    assert capsys.readouterr().out == "T\nname           value\na             0.5000\nlonger [red]       -\n"


def test_batch_sizes_above_the_training_images_are_said() -> None:
    spec = regime_one("one")
    points = plan_points(spec)
    [equal, *_] = batch_warnings(spec, points, [429, 439])
    assert "429" in equal
    assert "80%" in equal
    # 2,079 training images, as in the reference study: every batch size of the range means something of its own.
    assert not any("full batch" in warning for warning in batch_warnings(spec, points, [2079]))
    # Repeats of a winner search nothing: advice on the range would be for another study.
    listed = {"name": "listed", "points": points[:2]}
    repeats = spec.model_copy(update={"sampler": spec.sampler.model_copy(update=listed)})
    assert not any("equivalent" in warning for warning in batch_warnings(repeats, points[:2], [429, 439]))


def test_a_fixed_batch_size_with_a_short_last_batch_is_said() -> None:
    search = {"dropout_rate": {"type": "float", "low": 0, "high": 0.5}}
    spec = parse({"study": {"name": "one"}, "search": search}, source="test")
    [warning] = batch_warnings(spec, plan_points(spec), [129, 200])
    assert "last mini-batch of each epoch has 1 image" in warning
    assert batch_warnings(spec, plan_points(spec), [150, 160]) == []


def made_with(setting: str) -> StudySpec:
    return build_spec(
        "s", regime="I", best=None, spec_file=None, trials=None, seed=None, pruner=None, settings=[setting]
    )


@pytest.mark.parametrize(
    ("search", "full", "ends"),
    [
        ('{type="int", low=16, high=2048}', 431, (16, 431)),
        ('{type="int", low=16, high=2048, log=true}', 12, (6, 12)),
        ('{type="int", low=500, high=2048}', 431, (16, 431)),
        ('{type="grid", values=[32, 512, 1024]}', 431, (32, 431)),
        ('{type="int", low=1, high=8}', 2, (1, 2)),
    ],
)
def test_a_narrower_range_of_batch_sizes_can_be_pasted(search: str, full: int, ends: tuple[int, int]) -> None:
    spec = made_with(f"search.batch_size={search}")
    [warning, *_] = batch_warnings(spec, [], [full])
    [_, pasted] = shlex.split(warning[warning.index("--set ") : -1])
    searched = made_with(pasted).search["batch_size"]
    assert (searched.type, searched.log) == (spec.search["batch_size"].type, spec.search["batch_size"].log)
    assert (min(searched.values or [searched.low]), max(searched.values or [searched.high])) == ends
    assert "equivalent" not in " ".join(batch_warnings(made_with(pasted), [], [full + 1]))


def test_the_rule_of_thumb_fits_what_it_was_made_from() -> None:
    for batch_size, seconds in ((16, 0.63), (128, 0.19), (1600, 0.137)):
        spec = regime_one("one").with_values({"data.targets": [str(n) for n in range(18)]})
        found = estimate_time(spec, [{"batch_size": batch_size}], images=10, train_images=[2075])
        assert found.fold_epoch_seconds == pytest.approx(seconds, rel=0.1)
        assert "rule of thumb" in found.basis
    lenet = regime_one("one").with_values(
        {"model.kind": "lenet", "model.image_size": [128, 128], "data.targets": ["a"]}
    )
    found = estimate_time(lenet, [{"batch_size": 32}], images=522, train_images=[348])
    assert found.fold_epoch_seconds == pytest.approx(1.28, rel=0.1)


def test_an_estimate_counts_start_compilation_and_what_pruning_may_save() -> None:
    search = {"batch_size": {"type": "int", "low": 16, "high": 2048}}
    found = {}
    for pruner in ("none", "forecast"):
        spec = parse({"study": {"name": "a"}, "search": search, "pruner": {"name": pruner}}, source="test")
        points = [{"batch_size": size} for size in (16, 64, 500, 600)]
        found[pruner] = estimate_time(spec, points, images=10, train_images=[430, 436])
    whole, pruned = found["none"], found["forecast"]
    assert (
        whole.compilation_seconds == 3 * PROGRAMS_PER_BATCH_SIZE * SECONDS_PER_PROGRAM
    )  # 500 and 600 are one full batch
    assert whole.total_seconds > START_SECONDS + whole.compilation_seconds + whole.extraction_seconds
    assert whole.least_seconds == whole.total_seconds == pruned.total_seconds
    assert START_SECONDS < pruned.least_seconds < pruned.total_seconds


def test_a_dashboard_that_only_shows_refuses_changes() -> None:
    passed = []

    def inner(environment: dict[str, object], start_response: object) -> list[bytes]:
        passed.append(environment["REQUEST_METHOD"])
        return [b"ok"]

    answers = []
    application = refuse_changes(inner)  # type: ignore[arg-type]
    for method in ("GET", "POST", "PUT", "DELETE", "HEAD"):
        application({"REQUEST_METHOD": method}, lambda status, headers: answers.append(status))
    assert passed == ["GET", "HEAD"]
    assert answers == ["403 Forbidden"] * 3


@pytest.mark.parametrize(
    ("host", "local"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("db", False)],
)
def test_which_addresses_only_this_machine_can_reach(host: str, local: bool) -> None:
    assert is_local(host) == local


def test_a_word_after_two_dashes_is_no_option() -> None:
    assert cli._take_debug(["study", "show", "--", "--debug"]) == (["study", "show", "--", "--debug"], False)
    assert cli._take_debug(["study", "--debug", "show", "--", "x"]) == (["study", "show", "--", "x"], True)
