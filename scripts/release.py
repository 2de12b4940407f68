"""Make a release, from a clean tree to the wheel; a person runs it and sends what it made.

    python scripts/release.py 0.2.0

In this order: the new version into each file that names it, and "Unreleased" of the changelog under its name and today's date; `make test-all`
and `make audit`; a commit and a tag; the wheel, built twice, whose two hashes must be equal. It stops at the first failure. Nothing
is sent anywhere: its last lines say what to send. To take it back before that: `git tag -d v0.2.0` and `git reset --hard HEAD^`.
"""

from __future__ import annotations

import datetime
import hashlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PLACES = {
    "pyproject.toml": r'^version = "(.+)"$',
    "CITATION.cff": r"^version: (.+)$",
    "requirements/conda/meta.yaml": r'^{% set version = "(.+)" %}$',
}
"""Files that name the version, and how."""

UNRELEASED = "## [Unreleased]\n"


def main() -> None:
    """Make the release that the one argument names."""
    if len(sys.argv) != 2 or not re.fullmatch(r"\d+\.\d+\.\d+", sys.argv[1]):
        sys.exit("usage: python scripts/release.py VERSION, three numbers: 0.2.0")
    version = sys.argv[1]
    if capture("git", "status", "--porcelain"):
        sys.exit("There are changes that are not committed. Commit them first.")
    if capture("git", "tag", "--list", f"v{version}"):
        sys.exit(f"v{version} is there already.")
    name_version(ROOT, version, datetime.date.today())
    for command in (["make", "test-all"], ["make", "audit"]):
        run(*command)
    run("git", "commit", "--quiet", "--all", "--message", f"Release {version}")
    run("git", "tag", "--annotate", f"v{version}", "--message", f"orch {version}")
    first, second = build(version), build(version)
    if first != second:
        sys.exit(f"Two builds of the wheel differ: {first} and {second}. Do not send them.")
    print(
        f"dist/ has the wheel of {version}, sha256 {first}, and the lists of what it was tested with (sbom-*.json)."
    )
    print(f"To send: git push --follow-tags; python -m twine upload dist/*-{version}-*.whl")


def name_version(root: Path, version: str, day: datetime.date) -> None:
    """Write a version into every file that names it, and give it the changelog's unreleased lines.

    Args:
        root: folder of the repository.
        version: as "0.2.0".
        day: of the release.

    Raises:
        ValueError: a file does not name the version once, or nothing is unreleased.
    """
    texts = {}
    for name, pattern in PLACES.items():
        text = (root / name).read_text(encoding="utf-8")
        [found] = re.finditer(pattern, text, re.MULTILINE)
        texts[name] = text[: found.start(1)] + version + text[found.end(1) :]
    changes = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    before, after = changes.split(UNRELEASED)
    if not after.split("\n## [")[0].strip():
        raise ValueError("Nothing is unreleased.")
    texts["CHANGELOG.md"] = f"{before}{UNRELEASED}\n## [{version}] - {day.isoformat()}\n{after}"
    for name, text in texts.items():
        (root / name).write_text(text, encoding="utf-8")


def build(version: str) -> str:
    """Build the wheel, and return its SHA-256."""
    run("make", "wheel")
    [wheel] = (ROOT / "dist").glob(f"*-{version}-*.whl")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    shutil.rmtree(ROOT / "build", ignore_errors=True)  # nothing of it goes into the next build
    return digest


def run(*command: str) -> None:
    """Run a command of the repository; leave with its code when it fails."""
    code = subprocess.run(command, cwd=ROOT, check=False).returncode
    if code:
        sys.exit(code)


def capture(*command: str) -> str:
    """What a command of the repository prints."""
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    main()
