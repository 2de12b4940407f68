"""A network that is cut between hosts (Linux, root): nothing is lost and nothing is done twice."""

from pathlib import Path

import pytest

from tests.hosts import three_hosts_storm, why_impossible


@pytest.mark.platform_impossible("network namespaces need root, iproute2 and a kernel that allows them")
def test_a_host_that_is_cut_off_past_its_lease_loses_nothing(tmp_path: Path) -> None:
    if reason := why_impossible():
        pytest.skip(reason)
    happened, account = three_hosts_storm(tmp_path / "logs", 24)
    assert happened["cut_seconds"] > 0
    assert happened["left_by_themselves"]
    assert account["problems"] == []
    assert (account["points"]["complete"], account["trials"].get("RUNNING", 0)) == (24, 0)
    assert account["wrong_values"] == []
