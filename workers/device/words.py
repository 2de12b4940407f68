"""What backends, their libraries and drivers say of a device that is broken or full: JAX and TensorFlow raise one class for everything."""

from __future__ import annotations

import re

MISTAKES = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, AssertionError, NameError)
"""What a mistake in a program raises. Its words may be about anything: they are believed only where they are a status of XLA's."""

STATUS = re.compile(
    r"^\s*(internal|unknown|resource_exhausted|failed_precondition|unavailable|aborted|data_loss): "
)
"""How XLA begins what it says; JAX passes some of it on as a ValueError."""

LIBRARY = r"(cu|roc|hip)(dnn|blas|solver|sparse|fft|rand)"

FULL = re.compile(
    r"out[ _]of[ _]memory|oom when allocating|failed to allocate|bad_alloc|cannot allocate memory|unable to allocate [\d.]+ .?i?b"
    r"|dst tensor is not initialized"
    # Of the second process, most often, on a GPU that the first one has filled.
    rf"|{LIBRARY}\w*_alloc(ation)?_failed|{LIBRARY} (resource )?allocation failed|dnn library initialization failed"
    r"|cudaerrormemoryallocation|hip_?error_?(outofmemory|memoryallocation)"
)
"""In lower case: the memory of the device or of the machine was not enough."""

SICK = re.compile(
    r"cuda_error_|cuda error|cudaerror[a-z]|cuda failure|hip_error_|hip error|hiperror[a-z]"
    r"|failed call to cu[a-z]+|\bcuda[a-z]+\(\)( on gpu:\d+)? failed|cuda runtime implicit initialization"
    # What CUDA says of its own errors, with and without their names.
    r"|illegal memory access|illegal instruction was encountered|unspecified launch failure|launch timed out|misaligned address"
    r"|device-side assert|hardware stack error|invalid program counter|invalid device context|context is destroyed"
    r"|uncorrectable (ecc|nvlink)|nvlink error|\becc error|no kernel image is available|device kernel image is invalid"
    r"|cuda-capable devices? (is|are) |cuda driver version is insufficient|driver/library version mismatch"
    r"|fallen off the bus|(gpu|device) (is )?lost\b|gpu requires reset|\bxid[ :(]|memory access fault by gpu"
    rf"|{LIBRARY}\w*_(execution_failed|internal_error|not_initialized|mapping_error|(arch|version)_mismatch|launch_failure)"
    rf"|{LIBRARY}_(exec_failed|setup_failed)|{LIBRARY} (internal (error|operation failed)|execution failed)"
    rf"|{LIBRARY} (gpu program failed|(has )?not (been )?initialized|failed to initialize)|rocblas_status_internal_error|miopenstatus"
    # What XLA and TensorFlow say, some of them without the error that CUDA gave them.
    r"|stream (is |was )?(already )?in (an? )?(error|bad) state|already in an error state|gpu sync failed|cudnn[a-z ]* launch failure"
    r"|blas \w*gemm\w*( \w+)? launch failed|without blas support|failed to get convolution algorithm"
    r"|failed to get device (properties|attribute)|ptxas (exited|returned|fatal|not found)"
    r"|unable to initialize backend|backend failed to initialize|failed to initialize streamexecutor"
)
"""In lower case: the device will not work in this process any more."""

SAID_AT_THE_END = "Graph execution error:"
"""TensorFlow then names where in the program, at any length, and says what happened last."""
CHARACTERS = 5000


def words_of(error: BaseException) -> str:
    """What an error says, with the notes that were added to it, in lower case: its beginning and its end."""
    text = "\n".join([str(error), *getattr(error, "__notes__", ())])
    if len(text) > 2 * CHARACTERS:
        text = f"{text[:CHARACTERS]}\n{text[-CHARACTERS:]}"
    return text.lower()


def says(error: BaseException, words: re.Pattern[str]) -> bool:
    """Whether an error says one of these words, and may be believed to speak of a device."""
    text = words_of(error)
    return words.search(text) is not None and (
        not isinstance(error, MISTAKES) or STATUS.search(text) is not None
    )


def first_words(error: BaseException, characters: int = 300) -> str:
    """What happened, on one line; empty where the error says nothing."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if lines[:1] == [SAID_AT_THE_END]:
        lines = [line for line in lines if not line.startswith("[[")][::-1]
    first = lines[0][:characters] if lines else ""
    noted = [
        note
        for note in getattr(error, "__notes__", ())
        if FULL.search(note.lower()) or SICK.search(note.lower())
    ]
    return f"{first} ({noted[0][:characters]})" if noted else first


def shorten(text: str, characters: int) -> str:
    """At most so many characters of a text: its beginning and its end, where some programs say what happened."""
    half = (characters - 5) // 2
    return text if len(text) <= characters else f"{text[:half]}\n...\n{text[-half:]}"
