# SPDX-License-Identifier: Apache-2.0
"""Exports whose download dies at any byte, whose file changes between two readings, or whose file is
not there: each ends once, in a manifest or a dead letter that says so."""

import json
import random

import pytest

from daemons import Source
from kafka import free_ports
from vendor import Reply, Text, Vendor

# Quotes, a newline within quotes, letters of several bytes, CR LF.
SMALL = Text('severity,description\r\n'
             'critical,"one, ""two""\r\nthree"\r\n'
             'medium,à Montréal \U0001f980\r\n'
             'info,\r\n'
             'warning,"last"\r\n'.encode())


@pytest.fixture(scope="module")
def quick(module_stack):
    """Tries again at once, commits every other row, never gives up here."""
    made = module_stack([Source()], {"enricher": {
        "batch_rows": 2, "retry_from": "10ms", "retry_to": "20ms", "poll_to": "20ms"}})
    made.source = made.sources[0]
    made.numbers = iter(range(1000, 10**6))
    return made.start()


@pytest.fixture(scope="module")
def hasty(module_stack):
    """Gives up after two seconds."""
    made = module_stack([Source()], {"enricher": {"give_up_after": "2s"}})
    made.enricher.expect_errors("gave up|give up|giving up|dead letter")
    made.source = made.sources[0]
    made.numbers = iter(range(1000, 10**6))
    return made.start()


def begin(made, file=SMALL, script=None, **more):
    """Has an export announced; its number, and the event's name."""
    number = str(next(made.numbers))
    exported = made.source.stub.export(number, file, **more)
    if exported.location:
        exported.location = exported.location.format(n=number)
    if script:
        script(made.source.stub, f"/api/v2/exports/{number}", f"/files/{number}.csv")
    return number, made.notify(made.source, id=number, kind="export", status="done")


def check_whole(made, name, file, generation):
    """One manifest, right, and all rows of its generation once and in order."""
    value = made.tap.one("exports", event_id=name).value
    made.tap.drain()
    assert (value["rows"], value["bytes"], value["sha256"]) == (file.rows, *file.sums)
    assert value["columns"] == file.columns
    assert "detail" not in value
    assert value["generation"] == generation
    rows = [row.value for row in made.tap.find("export-rows", event_id=name)
            if row.value["generation"] == generation]
    assert [row["row"] for row in rows] == list(range(1, file.rows + 1))
    assert [row["fields"] for row in rows] == [file.fields(n) for n in range(1, file.rows + 1)]
    assert [row["id"] for row in rows] == [f"{name}/row/{generation}/{row['row']}" for row in rows]
    assert not made.tap.find("dead-letters", event_id=name)


# --- the download dies ---

def shuffled(ends):
    return random.Random(4).sample(ends, len(ends))


@pytest.mark.parametrize("framing", [{"sized": True}, {"sized": False}, {"torn": True}],
                         ids=["sized", "chunked", "within-a-chunk"])
def test_a_download_that_dies_at_every_byte_loses_no_row_and_repeats_none(quick, framing):
    """At each byte once: later every time, earlier every time, and in any order."""
    ends = list(range(len(SMALL.data)))
    names = []
    for order in (ends, ends[::-1], shuffled(ends)):
        number, name = begin(quick, truncate=list(order), **framing)
        names.append((number, name))
    for number, name in names:
        quick.tap.wait("exports", 1, 60, event_id=name)
        check_whole(quick, name, SMALL, 1)
        assert len(quick.source.stub.calls(f"/files/{number}.csv")) == len(ends) + 1


# --- the file changes ---

def lines(rows, word="info", newline=b"\n", head=b"severity,description"):
    return newline.join([head] + [b"%s,row %d" % (word.encode(), n)
                                  for n in range(1, rows + 1)]) + newline


def cut_after(rows, data, newline=b"\n"):
    """Where the line after so many rows begins."""
    return len(newline.join(data.split(newline)[:rows + 1]) + newline)


FIRST = lines(40)
LATER_TAIL = FIRST.replace(b"row 33", b"another 33")
CUT = cut_after(25, FIRST)
CHANGES = {
    # what is read first, and of that so much; what next, ...; the last one whole
    "grown": ([(FIRST, CUT), (lines(60), None)], 1),
    "another end": ([(FIRST, CUT), (LATER_TAIL, None)], 1),
    "shrunk, all that is written is there": ([(FIRST, CUT), (lines(25), None)], 1),
    "shrunk below what is written": ([(FIRST, CUT), (lines(7), None)], 2),
    "only a heading left": ([(FIRST, CUT), (lines(0), None)], 2),
    "another row that is written": ([(FIRST, CUT), (FIRST.replace(b"row 2\n", b"row 0\n"), None)], 2),
    "another heading": ([(FIRST, CUT), (lines(40, head=b"severity,description_"), None)], 2),
    "other newlines": ([(FIRST, CUT), (lines(40, newline=b"\r\n"), None)], 2),
    "a row inserted": ([(FIRST, CUT), (FIRST.replace(b"info,row 9\n", b"info,new\ninfo,row 9\n"),
                                       None)], 2),
    # One reading finds out, the next one writes.
    "again and again": ([(FIRST, CUT), *[(lines(40, "medium"), 350)] * 2,
                         *[(lines(40, "warning"), 450)] * 2, (lines(41, "critical"), None)], 4),
    "and back": ([(FIRST, CUT), *[(lines(40, "medium"), 350)] * 2, (FIRST, None)], 3),
    "while the change is read it breaks off": ([(FIRST, CUT), (lines(40, "medium"), 300),
                                                (lines(40, "medium"), None)], 2),
}


@pytest.fixture(scope="module")
def changing(quick):
    """All of them under way at once."""
    names = {}
    for change, (readings, _) in CHANGES.items():
        files = [Text(data) for data, _ in readings]
        _, names[change] = begin(quick, files[-1], files=files, sized=True,
                                 truncate=[end for _, end in readings])
    return names


@pytest.mark.parametrize("change", CHANGES, ids=lambda name: name.replace(" ", "-"))
def test_the_manifest_names_the_generation_whose_rows_are_whole(quick, changing, change):
    readings, generation = CHANGES[change]
    check_whole(quick, changing[change], Text(readings[-1][0]), generation)


# --- there is no file ---

@pytest.mark.parametrize("cut", [None, CUT], ids=["at-once", "half-way"])
@pytest.mark.parametrize("status, detail", [(403, "forbidden"), (404, "gone"), (410, "gone")])
def test_a_file_that_is_forbidden_or_gone_makes_a_manifest_that_says_so(quick, status, detail, cut):
    """Also when rows of it have been written before."""
    def script(stub, api, path):
        if cut is None:
            stub.always(path, Reply(status))
        else:
            stub.script(api, Reply(body=document(path)),
                        Reply(body=document(path.replace("files", "gone"))))
            stub.always(path.replace("files", "gone"), Reply(status))
    _, name = begin(quick, Text(FIRST), script, truncate=[cut] if cut else [])
    value = quick.tap.one("exports", event_id=name).value
    assert (value["detail"], value["rows"], value["bytes"]) == (detail, 0, 0)
    assert "sha256" not in value
    assert not quick.tap.find("dead-letters", event_id=name)


def document(location, status="done"):
    return json.dumps({"id": "1", "status": status, "fileLocation": location}).encode()


@pytest.mark.parametrize("word, status", [("failed", "failed"), ("cancel", "canceled")])
@pytest.mark.parametrize("begun", [False, True], ids=["pending", "half-way"])
def test_an_export_that_turns_to_failed_makes_a_manifest_that_says_so(quick, word, status, begun):
    def script(stub, api, path):
        stub.script(api, *[Reply(body=document(path))] if begun else
                    [Reply(body=document(None, "pending"))] * 3)
    number, name = begin(quick, Text(FIRST), script, status=word, truncate=[CUT] * begun)
    value = quick.tap.one("exports", event_id=name).value
    assert value["export"] == {"id": number, "status": status, "status_word": word}
    assert value["rows"] == 0
    assert bool(quick.source.stub.calls(f"/files/{number}.csv")) == begun
    assert not quick.tap.find("dead-letters", event_id=name)


HTML = {"Content-Type": "text/html"}


@pytest.mark.parametrize("reply", [
    Reply(200, HTML, b"<html>in a moment</html>"), Reply(503, HTML, b"<html>"), Reply(429),
    Reply(200, {"Content-Type": "Text/HTML; charset=utf-8"}, b"<html>in a moment</html>"),
    Reply(200, HTML, b""),
], ids=["html", "503", "429", "html-in-capitals", "html-empty"])
def test_a_page_in_place_of_the_file_is_not_taken_for_it(quick, reply):
    _, name = begin(quick, script=lambda stub, api, path: stub.script(path, reply, reply))
    check_whole(quick, name, SMALL, 1)


def test_a_file_behind_a_redirect_to_another_host_is_read_without_the_token(quick):
    other = Vendor()
    other.always("/bucket/a.csv", Reply(200, {"Content-Type": "text/csv"}, SMALL.data))
    _, name = begin(quick, script=lambda stub, api, path: stub.always(
        path, Reply(302, {"Location": f"{other.url}/bucket/a.csv"})))
    check_whole(quick, name, SMALL, 1)
    assert [seen.authorization for seen in other.seen] == [""]
    other.down()


# --- there never will be one ---

def always(reply):
    return lambda stub, api, path: stub.always(path, reply)


def says(text):
    return lambda stub, api, path: stub.always(api, Reply(body=text))


NOWHERE = f"http://127.0.0.1:{free_ports(1)[0]}/files/1.csv"
# What goes wrong; the status a dead letter tells of it; a word its reason has.
ENDLESS = {
    "html": (dict(script=always(Reply(200, HTML, b"<html>"))), 200, "html"),
    "html in capitals": (dict(script=always(Reply(200, {"Content-Type": "TEXT/HTML"}, b"<html>"))),
                         200, "html"),
    "html without a word": (dict(script=always(Reply(200, HTML, b""))), 200, "html"),
    "500": (dict(script=always(Reply(500))), 500, "500"),
    "429": (dict(script=always(Reply(429))), 429, "429"),
    "400": (dict(script=always(Reply(400))), 400, "400"),
    "breaks off": (dict(truncate=[30] * 10_000), None, ""),
    "a redirect to nowhere": (dict(script=always(Reply(302, {"Location": NOWHERE}))), None, ""),
    "a redirect to itself": (dict(script=lambda stub, api, path: stub.always(
        path, Reply(302, {"Location": path}))), None, "redirect"),
    "on another host": (dict(location=NOWHERE), 200, "host"),
    "an empty location": (dict(script=says(document(""))), 200, ""),
    "no location": (dict(script=says(document(None))), 200, ""),
    "a location that is no text": (dict(script=says(document(7))), 200, ""),
    "pending": (dict(pending=10**9), 200, ""),
    "a status nobody knows": (dict(status="sleeping"), 200, ""),
    "no status": (dict(script=says(b'{"id":"1","fileLocation":"files/1.csv"}')), 200, ""),
}


@pytest.fixture(scope="module")
def endless(hasty):
    """All of them under way at once."""
    return {case: begin(hasty, **how)[1] for case, (how, _, _) in ENDLESS.items()}


@pytest.mark.parametrize("case", ENDLESS, ids=lambda name: name.replace(" ", "-"))
def test_an_export_without_end_ends_in_a_dead_letter_that_says_why(hasty, endless, case):
    _, status, word = ENDLESS[case]
    name = endless[case]
    event = hasty.tap.one("events", id=name)
    letter = hasty.tap.one("dead-letters", event_id=name)
    assert word in letter.value["reason"].lower()
    assert letter.value.get("http_status") == status
    assert letter.value["stage"] == "fetch"
    assert letter.headers["vulnbus-origin-topic"] == event.topic
    assert letter.headers["vulnbus-origin-offset"] == str(event.offset)
    hasty.tap.drain()
    assert not hasty.tap.find("exports", event_id=name)
