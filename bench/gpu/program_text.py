"""Reads what XLA compiled: the kernels of a step, and the bytes that each of them reads and writes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

BYTES = {"pred": 1, "s8": 1, "u8": 1, "bf16": 2, "f16": 2, "s32": 4, "u32": 4, "f32": 4, "s64": 8, "u64": 8, "f64": 8}  # fmt: skip
NO_KERNEL = frozenset(
    ("parameter", "constant", "tuple", "get-tuple-element", "bitcast", "while", "after-all", "copy-done")
)
"""What a program says and no GPU runs; the kernels of a loop within are not those of this step."""
TAKE_A_PART = frozenset(("dynamic-slice", "slice", "gather"))
CHANGE_A_PART = frozenset(("dynamic-update-slice", "scatter"))
SAME_BYTES = frozenset(("bitcast", "reshape"))

_LINE = re.compile(r"^\s*(ROOT )?%([\w.\-]+) = (.*)$")
_SHAPE = re.compile(r"\b([a-z]\w*)\[([\d,]*)\]")


@dataclass(frozen=True)
class Instruction:
    """A line of a computation."""

    name: str
    shape: str
    operation: str
    operands: tuple[str, ...]
    rest: str
    is_root: bool

    def named(self, attribute: str) -> str:
        """The computation that an attribute names; "" where there is none."""
        found = re.search(rf"\b{attribute}=%?([\w.\-]+)", self.rest)
        return found[1] if found else ""


@dataclass(frozen=True)
class Kernel:
    """What a GPU starts once.

    Attributes:
        kind: "product", "copy" or the operation.
        shape: of its result.
        origin: what it came from in the source.
        read: bytes that it needs; what it reads twice counts once.
        written: bytes.
    """

    name: str
    kind: str
    shape: str
    origin: str
    read: int
    written: int


class Program:
    """The text of a compiled program, as `jax.stages.Compiled.as_text` gives it."""

    def __init__(self, text: str) -> None:
        self._computations: dict[str, dict[str, Instruction]] = {}
        current: dict[str, Instruction] = {}
        for line in re.sub(r"/\*.*?\*/", "", text).splitlines():
            if line.startswith(("%", "ENTRY ")) and line.endswith("{"):
                current = self._computations.setdefault(
                    line.removeprefix("ENTRY ").split()[0].lstrip("%"), {}
                )
            elif found := _LINE.match(line):
                instruction = _read_instruction(found[2], found[3], is_root=bool(found[1]))
                current[instruction.name] = instruction

    def loops(self) -> list[str]:
        """The bodies of all loops, those with the most bytes first."""
        bodies = {one.named("body") for one in self._instructions() if one.operation == "while"}
        return sorted(bodies, key=lambda body: -sum(one.read + one.written for one in self.kernels(body)))

    def kernels(self, computation: str) -> list[Kernel]:
        """What is started when a computation runs once, in its order."""
        lines = self._computations[computation]
        return [
            Kernel(
                one.name,
                self._kind(one),
                re.sub(r"\{[^}]*\}", "", one.shape),
                _origin(one.rest),
                sum(self._count_read(one, place, lines[name]) for place, name in enumerate(one.operands)),
                self._count_written(one),
            )
            for one in lines.values()
            if one.operation not in NO_KERNEL
        ]

    def _instructions(self) -> Iterator[Instruction]:
        for lines in self._computations.values():
            yield from lines.values()

    def _kind(self, one: Instruction) -> str:
        inner = {one.operation} | {line.operation for line in self._called(one).values()}
        if (
            "dot" in inner
            or "convolution" in inner
            or re.search(r"__cu(blas|dnn)|__triton_gemm|onednn", one.rest)
        ):
            return "product"
        return (
            "copy"
            if inner <= {"copy", "fusion", "parameter", "copy-start", "bitcast", "tuple"}
            else one.operation
        )

    def _called(self, one: Instruction) -> dict[str, Instruction]:
        return self._computations.get(one.named("calls"), {}) if one.operation == "fusion" else {}

    def _count_read(self, one: Instruction, place: int, operand: Instruction) -> int:
        whole, inner = count_bytes(operand.shape), self._called(one)
        if not inner:
            is_part = place == 0 and one.operation in TAKE_A_PART
            return (
                min(whole, count_bytes(one.shape))
                if is_part
                else whole * (place > 0 or one.operation not in CHANGE_A_PART)
            )
        parameter = next(
            line.name
            for line in inner.values()
            if line.operation == "parameter" and line.operands == (str(place),)
        )
        return min(whole, _count_used(parameter, whole, inner))

    def _count_written(self, one: Instruction) -> int:
        inner = self._called(one)
        changed = [
            (count_bytes(line.shape), count_bytes(inner[line.operands[1]].shape))
            for line in inner.values()
            if line.operation == "dynamic-update-slice"
        ]
        if one.operation == "custom-call":
            # The second result of a call of cuBLAS is room to work in.
            return count_bytes(re.sub(r", s8\[\d+\]\{0\}\)$", ")", one.shape))
        return count_bytes(one.shape) - sum(whole - part for whole, part in changed)


def count_bytes(shape: str) -> int:
    """Bytes of an array, or of all arrays of a tuple."""
    total = 0
    for kind, sides in _SHAPE.findall(shape):
        size = BYTES.get(kind, 0)
        for side in filter(None, sides.split(",")):
            size *= int(side)
        total += size
    return total


def _count_used(name: str, whole: int, lines: dict[str, Instruction]) -> int:
    """Bytes of an array that a fused computation uses: of one that is only cut from, or only changed in part, no more than that part."""
    used = 0
    for line in lines.values():
        if name not in line.operands:
            continue
        if line.operation in SAME_BYTES:
            used += _count_used(line.name, whole, lines)
        elif line.operation in TAKE_A_PART and line.operands[0] == name:
            used += count_bytes(line.shape)
        elif not (line.operation in CHANGE_A_PART and line.operands[0] == name):
            return whole
    return used


def _read_instruction(name: str, text: str, *, is_root: bool) -> Instruction:
    shape, text = _split_shape(text)
    operation, _, text = text.partition("(")
    operands, rest = _split_parentheses(text)
    named = tuple(part.split()[-1].lstrip("%") for part in operands.split(",") if part.strip())
    if operation == "constant":
        named = ()
    return Instruction(name, shape, operation.strip(), named, rest, is_root)


def _split_shape(text: str) -> tuple[str, str]:
    if not text.startswith("("):
        shape, _, rest = text.partition(" ")
        return shape, rest
    inside, rest = _split_parentheses(text[1:])
    return f"({inside})", rest.strip()


def _split_parentheses(text: str) -> tuple[str, str]:
    """What stands before the parenthesis that closes, and behind it."""
    depth = 1
    for place, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if not depth:
            return text[:place], text[place + 1 :]
    return text, ""


def _origin(rest: str) -> str:
    found = re.search(r'op_name="([^"]*)"', rest)
    return "/".join(found[1].split("/")[-2:]) if found else ""


def count_kinds(kernels: list[Kernel]) -> Counter[str]:
    """How many kernels of each kind there are."""
    return Counter(kernel.kind for kernel in kernels)
