"""Whose fault an error is: the trial pays for its own and for its memory, and for nothing else."""

import errno
import sqlite3

import psycopg2
import pytest
import sqlalchemy.exc

from storage.errors import (
    DatabaseAwayError,
    DataError,
    DeviceError,
    FeaturesError,
    ModelError,
    SickProcessError,
    StorageError,
    StorageNotFoundError,
    TrainingError,
    UnpreparedError,
    WeightsError,
)
from workers.process.blame import Fault, describe, find_fault
from workers.process.track_record import DAMAGES_IN_A_ROW, FAILURES_IN_A_ROW, LONGEST_PAUSE, TrackRecord

FULL = sqlalchemy.exc.OperationalError("INSERT", {}, sqlite3.OperationalError("database or disk is full"))


class ResourceExhaustedError(Exception):
    """Named like TensorFlow's."""


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


def hiding(error: Exception, hidden: Exception) -> Exception:
    """As Keras raises what a layer raised: `from None`, in a class that takes one text."""
    error.__context__, error.__suppress_context__ = hidden, True
    return error


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (ValueError("no room"), Fault.TRIAL),
        (TrainingError("The batch size was not applied."), Fault.TRIAL),
        (KeyError("ECCENTRIC"), Fault.TRIAL),
        (RuntimeError("CUDNN_STATUS_NOT_SUPPORTED: this convolution"), Fault.TRIAL),
        (FileNotFoundError(errno.ENOENT, "No such file"), Fault.TRIAL),
        (OSError(errno.EACCES, "out of memory.png"), Fault.TRIAL),
        (ValueError("input/output error: shapes (3,) and (4,)"), Fault.TRIAL),
        (KeyError("disk quota exceeded"), Fault.TRIAL),
        (TypeError("too many open files in my list"), Fault.TRIAL),
        (RuntimeError("too many links in the graph"), Fault.TRIAL),
        (RuntimeError("my quota of the disk is used up"), Fault.TRIAL),
        (MemoryError(), Fault.MEMORY),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), Fault.MEMORY),
        (ResourceExhaustedError("OOM when allocating tensor"), Fault.MEMORY),
        (RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 8 bytes"), Fault.MEMORY),
        (RuntimeError("CUDA_ERROR_OUT_OF_MEMORY: out of memory"), Fault.MEMORY),
        (RuntimeError("failed to create cublas handle: CUBLAS_STATUS_ALLOC_FAILED"), Fault.MEMORY),
        (RuntimeError("Could not create cudnn handle: CUDNN_STATUS_ALLOC_FAILED"), Fault.MEMORY),
        (RuntimeError("FAILED_PRECONDITION: DNN library initialization failed."), Fault.MEMORY),
        (caused(ValueError("a callback failed"), MemoryError()), Fault.MEMORY),
        (RuntimeError("INTERNAL: CUDA_ERROR_ILLEGAL_ADDRESS: an illegal memory access"), Fault.DEVICE),
        (RuntimeError("CUDA error: unspecified launch failure"), Fault.DEVICE),
        (RuntimeError("CUDA_ERROR_MISALIGNED_ADDRESS"), Fault.DEVICE),
        (RuntimeError("Uncorrectable ECC error encountered"), Fault.DEVICE),
        (RuntimeError("CUDNN_STATUS_EXECUTION_FAILED in cudnn_graph"), Fault.DEVICE),
        (RuntimeError("cublas: CUBLAS_STATUS_EXECUTION_FAILED"), Fault.DEVICE),
        (RuntimeError("Unable to initialize backend 'cuda': no device"), Fault.DEVICE),
        (caused(TrainingError("fold 1"), RuntimeError("GPU has fallen off the bus")), Fault.DEVICE),
        (DeviceError("The GPU does not work."), Fault.DEVICE),
        (caused(DeviceError("JAX cannot start."), RuntimeError("CUDA_ERROR_OUT_OF_MEMORY")), Fault.DEVICE),
        (OSError(errno.ENOSPC, "No space left on device"), Fault.DISK),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), Fault.DISK),
        (OSError(errno.EIO, "Input/output error"), Fault.DISK),
        (OSError(errno.EROFS, "Read-only file system"), Fault.DISK),
        (ResourceExhaustedError("/cache/x; No space left on device"), Fault.DISK),
        (
            caused(FeaturesError("Features cannot be written."), OSError(errno.ENOSPC, "No space left")),
            Fault.DISK,
        ),
        (OSError(errno.ESTALE, "Stale file handle"), Fault.DISK),
        (OSError(errno.ENOTCONN, "Transport endpoint is not connected"), Fault.DISK),
        (OSError("[Errno 28] No space left on device, as Keras passes it on"), Fault.DISK),
        (OSError("file write failed: errno = 5, error message = 'Input/output error'"), Fault.DISK),
        (KeyError("Unable to open object (errno = 5, error message = 'Input/output error')"), Fault.DISK),
        (ResourceExhaustedError("/cache/x; Disk quota exceeded"), Fault.DISK),
        (RuntimeError("/cache/x; Read-only file system"), Fault.DISK),
        (
            hiding(RuntimeError("Exception encountered when calling Dense.call()"), OSError(errno.EIO, "x")),
            Fault.DISK,
        ),
        (ExceptionGroup("two folds", [ValueError("one"), OSError(errno.ENOSPC, "full")]), Fault.DISK),
        (OSError(errno.EMFILE, "Too many open files"), Fault.LIMIT),
        (ResourceExhaustedError("/data/1.png; Too many open files"), Fault.LIMIT),
        (RuntimeError("can't start new thread"), Fault.LIMIT),
        (RuntimeError("Resource temporarily unavailable"), Fault.LIMIT),
        (ResourceExhaustedError("/data/1.png; No buffer space available"), Fault.LIMIT),
        (BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"), Fault.LIMIT),
        (FeaturesError("Features were damaged while they were in use."), Fault.MACHINE),
        (StorageNotFoundError("The study database is gone."), Fault.DATABASE),
        (DataError("The image x.png changed since the import."), Fault.MACHINE),
        (caused(ValueError("fold 1"), WeightsError("no weights")), Fault.MACHINE),
        (hiding(RuntimeError("Exception encountered when calling Dense.call()"), FULL), Fault.DATABASE),
        (psycopg2.OperationalError("server closed the connection unexpectedly"), Fault.DATABASE),
        (FULL, Fault.DATABASE),
        (caused(RuntimeError("the callback failed"), FULL), Fault.DATABASE),
        (caused(MemoryError(), FULL), Fault.DATABASE),
        (DatabaseAwayError(), Fault.DATABASE),
        (StorageError("permission denied"), Fault.DATABASE),
    ],
)
def test_an_error_is_charged_to_whom_it_belongs(error: Exception, fault: Fault) -> None:
    assert find_fault(error) is fault


@pytest.mark.parametrize(
    "text",
    [
        "INTERNAL: stream did not block host until done; was already in an error state",
        "FAILED_PRECONDITION: Buffer Definition Event: INTERNAL: cudaErrorIllegalAddress",
        "INTERNAL: NCCL operation ncclGroupEnd() failed: unhandled cuda error",
        "CUDA failure 700: something",
        "INTERNAL: operation gpusolverDnCreate(&handle) failed: cuSolver internal error",
        "UNKNOWN: no kernel image is available for execution on the device",
        "CUDNN_STATUS_SUBLIBRARY_VERSION_MISMATCH",
        "INTERNAL: ptxas exited with non-zero error code 2",
        "Failed to get device properties, error code: 30",
        "all CUDA-capable devices are busy or unavailable",
        "CUDA driver version is insufficient for CUDA runtime version",
        "Failed to initialize NVML: Driver/library version mismatch",
        "NVRM: Xid (PCI:0000:3b:00): 79, pid=1234",
        "Device is lost",
        "CUSPARSE_STATUS_EXECUTION_FAILED",
        "CUFFT_EXEC_FAILED",
        "GPU sync failed",
        "cuDNN Backward Filter function launch failure : input shape([64,1024,1,1])",
        "Blas xGEMM launch failed : a.shape=[1,63,494]",
        "Attempting to perform BLAS operation using StreamExecutor without BLAS support",
        "Failed to get convolution algorithm. This is probably because cuDNN failed to initialize",
        "cudaGetDevice() failed. Status: initialization error",
        "HIP error: hipErrorIllegalAddress",
        "Graph execution error:\n\n"
        + "  File x.py, line 7, in call\n" * 900
        + "GPU sync failed\n\t [[{{node x}}]]",
    ],
)
def test_what_libraries_and_drivers_say_of_a_device_that_works_no_more(text: str) -> None:
    assert find_fault(RuntimeError(text)) is Fault.DEVICE


@pytest.mark.parametrize(
    "text",
    [
        "Failed copying input tensor to GPU:0 in order to run Identity: Dst tensor is not initialized.",
        "CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
        "cuSolver allocation failed",
        "INTERNAL: Failed to load in-memory CUBIN: CUDA_ERROR_OUT_OF_MEMORY",
        "cudaErrorMemoryAllocation",
        "HIP_ERROR_OutOfMemory",
        "std::bad_alloc",
        "Cannot allocate memory",
    ],
)
def test_what_libraries_and_drivers_say_of_a_memory_that_is_full(text: str) -> None:
    assert find_fault(RuntimeError(text)) is Fault.MEMORY


@pytest.mark.parametrize(
    "error",
    [
        ValueError("this layer would run out of memory: use fewer units"),
        KeyError("out of memory"),
        ValueError("my layer supports no CUDA error handling"),
        AssertionError("illegal instruction was encountered by my tokenizer"),
        RuntimeError("the label ECC is not what it seems"),
        RuntimeError("misaligned masks and images"),
        ModelError("My model: out of memory is not handled."),
    ],
)
def test_what_a_mistake_says_in_passing_is_no_sign_of_a_device(error: Exception) -> None:
    assert find_fault(error) is Fault.TRIAL


def test_a_status_of_xla_is_believed_whatever_python_makes_of_it_and_notes_are_read() -> None:
    assert find_fault(ValueError("RESOURCE_EXHAUSTED: Out of memory allocating 8 bytes")) is Fault.MEMORY
    assert find_fault(ValueError("INTERNAL: CUDA_ERROR_ILLEGAL_ADDRESS")) is Fault.DEVICE
    noted = RuntimeError("the step failed")
    noted.add_note("CUDA_ERROR_ILLEGAL_ADDRESS")
    assert find_fault(noted) is Fault.DEVICE
    text = "Unable to create file (errno = 12, error message = 'Cannot allocate memory')"
    assert find_fault(OSError(text)) is Fault.MEMORY


def test_what_tensorflow_says_last_is_told() -> None:
    text = "Graph execution error:\n\nDetected at node a defined at:\n  File x\n\nGPU sync failed\n\t [[{{node a}}]]"
    assert describe(RuntimeError(text)) == "RuntimeError: GPU sync failed"


def test_what_a_device_said_is_told_wherever_it_stands() -> None:
    group = ExceptionGroup("two folds", [ValueError("one"), RuntimeError("GPU sync failed")])
    assert describe(group) == "RuntimeError: GPU sync failed"
    noted = RuntimeError("the step failed")
    noted.add_note("CUDA_ERROR_LAUNCH_FAILED")
    assert describe(noted) == "RuntimeError: the step failed (CUDA_ERROR_LAUNCH_FAILED)"


def test_an_error_is_told_on_one_line_without_its_parameters() -> None:
    assert describe(RuntimeError("first\n\nsecond")) == "RuntimeError: first"
    assert describe(MemoryError()) == "MemoryError"
    assert describe(StorageError("What.", next_step="Do this.")) == "What."


def test_different_failures_in_a_row_speak_against_the_process_and_the_same_one_does_not() -> None:
    record = TrackRecord()
    for _ in range(5):
        record.note_failure("study", 1)
    record.note_failure("study", 2)
    record.note_success()
    for point in range(FAILURES_IN_A_ROW - 1):
        record.note_failure("study", point)
    assert record.failed_on == {"study": {0, 1, 2}}
    with pytest.raises(SickProcessError, match="3 different trials in a row"):
        record.note_failure("another", 0)


def test_damage_speaks_against_the_machine_only_without_a_success_in_between() -> None:
    record = TrackRecord()
    for _ in range(DAMAGES_IN_A_ROW - 1):
        record.note_damage()
    record.note_success()
    for _ in range(DAMAGES_IN_A_ROW - 1):
        record.note_damage()
    with pytest.raises(UnpreparedError, match="5 times in a row"):
        record.note_damage()


def test_pauses_grow_up_to_a_minute_and_begin_again_after_a_success() -> None:
    record = TrackRecord()
    pauses = [record.pause() for _ in range(9)]
    assert pauses[:3] == [1, 2, 4]
    assert pauses[-1] == LONGEST_PAUSE
    record.note_success()
    assert record.pause() == 1
