"""The address of the study database, as it is read and as it is shown."""

import pytest

from storage.database.address import parse_url
from storage.database.engine import Database
from storage.errors import StorageNotFoundError

SECRET = "geheim"


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("postgres://orch@host/studies", "postgresql+psycopg2://orch@host/studies"),
        ("postgresql+psycopg://orch@host/studies", "postgresql+psycopg2://orch@host/studies"),
        (f"postgresql://orch:{SECRET}@host/studies", "postgresql+psycopg2://orch:***@host/studies"),
        (
            f"postgresql://orch@host/studies?password={SECRET}&sslmode=require",
            "postgresql+psycopg2://orch@host/studies?password=***&sslmode=require",
        ),
        (
            f"postgresql://orch@host/studies?sslkey=a.key&sslpassword={SECRET}",
            "postgresql+psycopg2://orch@host/studies?sslkey=a.key&sslpassword=***",
        ),
    ],
)
def test_an_address_is_shown_without_its_password(written: str, shown: str) -> None:
    url = parse_url(written)
    assert Database(url).url_text == shown
    if SECRET in written:
        assert SECRET in url.render_as_string(hide_password=False)


@pytest.mark.parametrize(
    ("written", "words"),
    [
        (f"postgresql://orch:ab@{SECRET}@host/studies", "more than one @"),
        (f"postgresql://orch:ab@/{SECRET}#@host/studies", "more than one @"),
        (f"postgresql://orch:ab@x:{SECRET}#@host/studies", "not a URL"),
        ("postgresql://orch@host:first/studies", "not a URL"),
    ],
)
def test_a_password_that_breaks_the_address_is_named_and_not_printed(written: str, words: str) -> None:
    with pytest.raises(StorageNotFoundError, match=words) as raised:
        parse_url(written)
    assert SECRET not in str(raised.value)
