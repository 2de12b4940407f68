"""The address of the study database, as it is read and as it is shown."""

import pytest

from storage.address import parse_url
from storage.engine import Database

SECRET = "geheim"


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("postgres://orch@host/studies", "postgresql+psycopg2://orch@host/studies"),
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
