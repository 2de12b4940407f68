"""Draw docs/pictures/terminal-*.svg: what `orch` prints on a terminal of 100 columns, from the folder of a demo that has ended.

make demo && python scripts/draw_terminal.py demo
"""

from __future__ import annotations

import os
import pty
import re
import struct
import subprocess
import sys
import termios
from fcntl import ioctl
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import SVG_EXPORT_THEME
from rich.text import Text

REPOSITORY = Path(__file__).resolve().parent.parent
COLUMNS = 100
COMMANDS = {"show": ["study", "show", "regime-1"]}
"""Pictures by name; each command is run in the folder of the demo."""
FORMAT = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: monospace; font-size: {char_height}px; line-height: {line_height}px; }}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal"><rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" /></clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""
"""Rich's own form without its font, which a page would ask another host for."""


def run_in_terminal(command: list[str], folder: Path) -> str:
    """What a command prints on a terminal of `COLUMNS`, with its colours."""
    master, slave = pty.openpty()
    ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 60, COLUMNS, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**environment, "TERM": "xterm-256color"},
        stdin=slave,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    printed = bytearray()
    while True:
        try:
            block = os.read(master, 4096)
        except OSError:  # the terminal is closed when the last writer has left
            break
        if not block:
            break
        printed += block
    process.wait()
    os.close(master)
    return printed.decode().replace("\r\n", "\n")


def draw(words: list[str], folder: Path, path: Path) -> None:
    """Run one command and write its picture."""
    printed = run_in_terminal([str(Path(sys.executable).with_name("orch")), *words], folder)
    console = Console(record=True, width=COLUMNS, file=open(os.devnull, "w"), force_terminal=True)  # noqa: SIM115
    # Where the demo ran is of no interest to a reader.
    printed = re.sub(r"(?m)^(data folder +)\S+", r"\1/home/reader/my-data", printed)
    console.print(Text.from_ansi(printed))
    title = "orch " + " ".join(words)
    svg = console.export_svg(title=title, theme=SVG_EXPORT_THEME, code_format=FORMAT, unique_id=path.stem)
    path.write_text(svg, encoding="utf-8")
    print(f"{path.relative_to(REPOSITORY)}: {path.stat().st_size // 1000} kB")


def main() -> None:
    """Draw all of them."""
    demo = Path(sys.argv[1] if len(sys.argv) > 1 else "demo")
    for name, words in COMMANDS.items():
        draw(words, demo, REPOSITORY / "docs" / "pictures" / f"terminal-{name}.svg")


if __name__ == "__main__":
    main()
