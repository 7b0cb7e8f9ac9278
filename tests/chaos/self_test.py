# SPDX-License-Identifier: Apache-2.0
"""The accounting is given runs with one thing wrong in each, and must say so."""

from accounting import Attempt, Seen, account

WITHIN = 3.0


def sent(id_, at=100.0, took=0.01, status=202, **more):
    answered = None if status is None else at + took
    return Attempt(id_, id_.partition(":")[0], at, answered, status, key=f"k/{id_.split(':')[2]}",
                   **more)


def seen(topic, event, offset, id_=None, **more):
    return Seen(topic, 0, offset, 100.0, id_ or event, event, **more)


def good():
    """Ten scans and an export of three rows, all well; one scan was refused and came anyway."""
    attempts, records = [], []
    for number in range(10):
        name = f"a:scan:{number}:0:done"
        attempts.append(sent(name, 100.0 + number))
        records += [seen("events", name, number), seen("scans", name, number)]
    attempts.append(sent("a:scan:10:0:done", 120.0, 3.1, 503))
    records += [seen("events", "a:scan:10:0:done", 10), seen("scans", "a:scan:10:0:done", 10)]
    attempts.append(sent("a:scan:11:0:done", 121.0, status=None))
    export = "b:export:1:0:done"
    attempts.append(sent(export, rows=3))
    records.append(seen("events", export, 11))
    records += [seen("export-rows", export, row, f"{export}/row/1/{row}", row=row, generation=1)
                for row in (1, 2, 3)]
    records.append(seen("exports", export, 0, rows=3, generation=1))
    return attempts, records


def without(records, topic, event):
    return [r for r in records if not (r.topic == topic and r.event == event)]


def cases():
    """(what is done to a good run, the figure that must say 1)."""
    one, export = "a:scan:3:0:done", "b:export:1:0:done"

    def lose(attempts, records):
        return attempts, [r for r in records if r.event != one]

    def double(attempts, records):
        return attempts, [*records, seen("scans", one, 99)]

    def miss(attempts, records):
        return attempts, without(records, "scans", one)

    def both(attempts, records):
        return attempts, [*records, seen("dead-letters", one, 0, one + "/dead", reason="why")]

    def invent(attempts, records):
        return attempts, [*records, seen("events", "a:scan:77:0:done", 77),
                          seen("scans", "a:scan:77:0:done", 77)]

    def shorten(attempts, records):
        return attempts, [r for r in records if r.row != 2]

    def repeat(attempts, records):
        return attempts, [*records, next(r for r in records if r.row == 2)]

    def swap(attempts, records):
        rows = {1: 2, 2: 1}
        for record in records:
            record.row = rows.get(record.row, record.row)
        return attempts, records

    def delay(attempts, records):
        return [*attempts, sent(one, 130.0, 3.6, 503)], records

    def refuse(attempts, records):
        return [*attempts, sent(one, 131.0, 0.1, 404)], records

    def withhold(attempts, records):
        return [*attempts, sent("a:scan:88:0:done", status=None, withheld=True)], records

    return ((lose, "lost"), (withhold, "lost"), (double, "duplicated"), (miss, "missing"), (both, "duplicated"),
            (invent, "unknown"), (shorten, "rows_wrong"), (repeat, "duplicated"),
            (swap, "rows_wrong"), (delay, "late"), (refuse, "other"))


def main():
    found = account(*good(), answer_within=WITHIN)
    assert found.kept, found.details
    assert (found.total.events, found.total.acked, found.total.on_topic) == (13, 11, 12), found
    assert (found.total.refused, found.total.unanswered, found.total.rows) == (1, 1, 3), found
    for change, figure in cases():
        found = account(*change(*good()), answer_within=WITHIN)
        assert getattr(found.total, figure) == 1, (change.__name__, found.total)
        assert not found.kept and found.details, change.__name__
    # Frozen time cannot count; an unreasoned dead letter and an inverted key are seen.
    attempts, records = good()
    attempts.append(sent("a:scan:3:0:done", 130.0, 9.0))
    assert account(attempts, records, [(131.0, 138.0)], WITHIN).kept
    assert account(attempts, records, [(150.0, 151.0)], WITHIN).total.late == 1
    bad = without(records, "scans", "a:scan:3:0:done")
    bad.append(seen("dead-letters", "a:scan:3:0:done", 0))
    assert not account(attempts[:-1], bad, (), WITHIN).kept
    pair = [sent("a:scan:5:1:failed", 200.0), sent("a:scan:5:2:done", 201.0)]
    places = [seen("events", "a:scan:5:2:done", 50), seen("events", "a:scan:5:1:failed", 51)]
    assert account(pair, places, (), WITHIN).disorder == 1
    assert account(pair, places[::-1], (), WITHIN).disorder == 1   # by offset, not by reading
    places[0].offset, places[1].offset = 51, 50
    assert account(pair, places, (), WITHIN).disorder == 0
    assert not account([], [], (), WITHIN).kept   # a run that did nothing proves nothing
    print("chaos --self-test: the accounting finds what is wrong")
