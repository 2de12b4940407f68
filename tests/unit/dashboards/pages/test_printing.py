"""Printing a page: whole or not at all, whatever the browser does."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashboards.pages.printing import print_page
from storage.errors import UsageError

WHOLE = b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\nstartxref\n9\n%%EOF\n"


def make_browser(folder: Path, printed: bytes | None) -> str:
    """A program that prints these bytes where it is told to, or nothing."""
    (folder / "printed").write_bytes(printed or b"")
    (folder / "report.html").write_text("<head><title>x</title></head><body>size</body>")
    program = folder / "browser"
    copy = f'cp "{folder}/printed" "${{word#--print-to-pdf=}}"' if printed is not None else ":"
    program.write_text(
        f'#!/bin/sh\nfor word; do case "$word" in --print-to-pdf=*) {copy};; file://*) cp "${{word#file://}}" "{folder}/seen.html";; esac; done\n'
    )
    program.chmod(0o755)
    return str(program)


@pytest.mark.parametrize("printed", [None, b"", WHOLE[:40], WHOLE[9:]])
def test_a_browser_that_fails_leaves_the_earlier_page_and_says_so(
    tmp_path: Path, printed: bytes | None
) -> None:
    output = tmp_path / "report.pdf"
    output.write_bytes(b"the earlier one")
    with pytest.raises(UsageError, match="printed no PDF"):
        print_page(make_browser(tmp_path, printed), tmp_path / "report.html", output)
    assert output.read_bytes() == b"the earlier one"


def test_a_page_that_was_printed_whole_takes_the_place_of_the_earlier_one(tmp_path: Path) -> None:
    output = tmp_path / "report.pdf"
    output.write_bytes(b"the earlier one")
    print_page(make_browser(tmp_path, WHOLE), tmp_path / "report.html", output)
    assert output.read_bytes() == WHOLE
    assert "@page { size: A4 }</style></head>" in (tmp_path / "seen.html").read_text()
