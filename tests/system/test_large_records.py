# SPDX-License-Identifier: Apache-2.0
"""Records over `message.max.bytes` are shortened, say where, and keep nothing else back."""

import json
import secrets

import pytest

from daemons import Source
from vendor import Text, Vendor

MOST = 20000
# In JSON a control character is six bytes, in the file one.
COLUMNS = ["report_id", "description", "solution"]
ROWS = [("1", "short", "fits"), ("2", "\x01" * 9000, "s" * 9000), ("3", "d" * 40000, "fits"),
        ("4", "short", "fits")]


@pytest.fixture(params=["msgpack", "json"])
def site(request, stack):
    made = stack(
        [Source("acme-vdr"),
         Source("ssc", "securityscorecard", Vendor(word="Token"),
                settings={"api": {"forward_free_text": True}})],
        {"topics": {"format": request.param},
         "kafka": {"properties": {"message.max.bytes": str(MOST)}}})
    made.format = request.param
    made.vdr, made.ssc = made.sources
    return made.start()


def test_an_export_of_long_rows_arrives(site):
    lines = "".join(",".join(row) + "\r\n" for row in [COLUMNS, *ROWS])
    site.vdr.stub.export("7", Text(lines.encode()))
    name = site.notify(site.vdr, id="7", kind="export", status="done")
    manifest = site.tap.one("exports", event_id=name).value
    assert manifest["rows"] == 4 and "cut" not in manifest
    rows = sorted(site.tap.wait("export-rows", 4, event_id=name), key=lambda r: r.value["row"])
    assert not site.tap.find("dead-letters")
    for record, row in zip(rows, ROWS):
        fields = record.value["fields"]
        cut = [column for column, text in zip(COLUMNS, row) if fields[column] != text]
        assert record.value.get("cut", []) == cut
        for column, text in zip(COLUMNS, row):
            assert text.startswith(fields[column])
            assert fields[column] == text or len(fields[column]) > 500
    assert rows[2].value["cut"] == ["description"]
    assert ("cut" in rows[1].value) == (site.format == "json")


def scorecard(site, entries):
    body = {"trigger": {"type": "security_breach"}, "created_at": "2022-08-10T19:49:46.029Z",
            "execution_id": secrets.token_hex(16), "scorecard_id": "8e21f4aa",
            "domain": "example.com"}
    site.ssc.stub.items = {
        "/companies/example.com": {"grade": "B", "score": 85},
        "/companies/example.com/factors": {"entries": [
            {"name": "dns_health", "issue_summary": [{"type": "spf_record_missing"}]}]},
        "/companies/example.com/history/events/?date_from=2022-08-09": {"entries": entries}}
    answer = site.session.post(site.ingress.url() + site.ssc.path, data=json.dumps(body),
                               headers={"Content-Type": "application/json"}, timeout=30)
    assert answer.status_code == 202
    return site.tap.one("scorecards", event_id=f"ssc:{body['execution_id']}").value


def test_prose_goes_before_lists(site):
    value = scorecard(site, [{"id": number, "event_type": "breach",
                              "breach_data": {"root_cause": "r" * 4000}} for number in range(30)])
    assert value["cut"] == ["root_cause"]
    assert len(value["changes"]) == value["change_count"] == 30


def test_a_long_list_is_shortened_and_its_count_stays(site):
    word = "w" * 128
    value = scorecard(site, [{"id": number, "event_type": word, "group_status": word,
                              "issue_type": word, "factor": word} for number in range(50)])
    assert value["cut"] == ["changes"]
    assert value["change_count"] == 50 and 10 < len(value["changes"]) < 50
    assert value["changes"][0]["factor"] == word
    assert value["factors"][0]["issues"] == [{"type": "spf_record_missing"}]
