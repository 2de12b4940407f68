"""What a new study may be called: a name that is safe in a shell, as the name of a file and on a terminal."""

from __future__ import annotations

import re
import unicodedata

from storage.errors import SpecError

LONGEST_NAME = 100


def check_new_name(name: str) -> None:
    """Let a new study have letters, digits and `. _ -` in its name, a letter or a digit first.

    Studies that have another name keep it.

    Raises:
        SpecError: the name is another; a name that would do is proposed.
    """
    normal = unicodedata.normalize("NFC", name)
    if is_plain(name) and name == normal and len(name) <= LONGEST_NAME:
        return
    words = re.sub(r"-+", "-", "".join(c if _is_allowed(c) else "-" for c in normal))
    while words and not words[0].isalnum():
        words = words[1:]
    proposed = words[:LONGEST_NAME].rstrip("-._")
    raise SpecError(
        f"A new study cannot be called {name[:LONGEST_NAME]!r}.",
        why=f"Names have letters, digits, dots, underscores and hyphens, begin with a letter or a digit, and have at most {LONGEST_NAME} "
        "characters: they become names of files and parts of commands.",
        next_step=f"For example: {proposed}" if proposed else "For example: study-1",
    )


def is_plain(name: str) -> bool:
    """Whether a name means nothing to a shell, to an option parser or as a path, quoted or not."""
    return name[:1].isalnum() and all(map(_is_allowed, name))


def _is_allowed(character: str) -> bool:
    return _is_word(character) or character in "._-"


def _is_word(character: str) -> bool:
    # Letters of any script with their marks, and digits.
    return unicodedata.category(character)[0] == "L" or unicodedata.category(character) in ("Mn", "Mc", "Nd")
