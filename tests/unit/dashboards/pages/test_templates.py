"""Templates: whatever a study is called, nothing in it becomes markup."""

from __future__ import annotations

import json
import re

from dashboards.figures.drawing import Picture, make_empty
from dashboards.pages.html import POLICY, show_pictures
from dashboards.tables.view import Table

EVIL = "</script><img src=x onerror=alert(1)> `code` {{ 7 * 7 }}"


def test_no_text_from_a_study_becomes_markup() -> None:
    picture = Picture(
        "roc", f"study: {EVIL}", EVIL, Table((EVIL,), [(EVIL,), (None,)]), make_empty(EVIL, EVIL)
    )
    page = show_pictures(EVIL, EVIL, [picture])
    own = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    assert "<img" not in own
    assert "7 * 7" in own
    assert "<code>code</code>" in own
    assert POLICY in own
    (figures,) = re.findall(r'<script type="application/json" id="figures">(.*?)</script>', page)
    assert json.loads(figures)["p-roc"]["layout"]["title"]["text"] == EVIL
