# SPDX-License-Identifier: Apache-2.0
"""What was promised against what is there: a pure function of what was sent, answered and read.

    lost        answered 202, or withheld and listed by the API, and not on events.v1
    missing     on events.v1, and neither enriched nor a dead letter
    duplicated  one id twice among what a reader in read_committed sees of the enriched records,
                or one event both enriched and a dead letter
    unknown     on events.v1, and never sent
    rows wrong  exports whose rows are not 1..n once each in the generation of their manifest

One id twice on events.v1 is allowed: a late delivery after an answer, or the vendor's own retry."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

SLACK = 0.5   # seconds beyond answer_within
TIMES = ("scans", "exports", "findings", "targets", "scorecards")   # one record per event
ENRICHED = (*TIMES, "export-rows")


@dataclass
class Attempt:
    """One request of a vendor and what it was told."""
    id: str
    source: str
    sent: float                 # wall clock, before the first byte
    answered: float = None      # wall clock, the kernel's stamp of the answer
    status: int = None          # None: no answer
    error: str = ""
    key: str = ""
    rows: int = None            # of an export: what its file has
    withheld: bool = False      # it was never sent: only the vendor's API lists it


@dataclass
class Seen:
    """One record of a topic."""
    topic: str                  # short name
    partition: int
    offset: int
    at: float                   # seconds of the record's own timestamp
    id: str                     # of the record
    event: str                  # of its event
    row: int = None
    rows: int = None            # of a manifest
    generation: int = None
    reason: str = None          # of a dead letter

    def where(self):
        return f"{self.topic}[{self.partition}]@{self.offset}"


@dataclass
class Line:
    """The figures of one source, or of all."""
    name: str
    events: int = 0      # distinct ids sent
    attempts: int = 0
    acked: int = 0       # distinct ids answered 202
    refused: int = 0     # attempts answered 5xx
    unanswered: int = 0  # attempts without an answer
    withheld: int = 0    # events whose webhook was never sent
    other: int = 0       # attempts answered with anything else
    on_topic: int = 0    # distinct ids on events.v1
    twice: int = 0       # of them, more than once (allowed)
    enriched: int = 0    # distinct events with an enriched record
    rows: int = 0
    dead: int = 0
    lost: int = 0
    missing: int = 0
    duplicated: int = 0
    unknown: int = 0
    rows_wrong: int = 0
    worst: float = 0.0   # seconds
    late: int = 0        # answers later than answer_within + SLACK
    excluded: int = 0    # answers not timed: the ingress was frozen meanwhile


@dataclass
class Report:
    total: Line
    lines: list
    answer_within: float
    details: list = field(default_factory=list)   # what is wrong, one text each
    disorder: int = 0
    without_reason: int = 0

    @property
    def kept(self):
        """Every promise was."""
        total = self.total
        return not (total.lost or total.missing or total.duplicated or total.unknown
                    or total.rows_wrong or total.late or total.other
                    or self.without_reason) and total.acked > 0


def frozen(attempt, freezes):
    return any(attempt.sent < end and attempt.answered > begin for begin, end in freezes)


def count_attempts(lines, attempts, freezes, limit, details):
    ids = defaultdict(set)
    acked, withheld = {}, set()
    for attempt in attempts:
        line = lines(attempt.source)
        ids[attempt.source].add(attempt.id)
        if attempt.withheld:
            withheld.add(attempt.id)
            line.withheld += 1
            continue
        line.attempts += 1
        if attempt.status is None:
            line.unanswered += 1
            continue
        if attempt.status == 202:
            acked.setdefault(attempt.id, attempt)
        elif 500 <= attempt.status < 600:
            line.refused += 1
        else:
            line.other += 1
            details.append(f"answered {attempt.status}: {attempt.id} sent {attempt.sent:.3f}")
        if frozen(attempt, freezes):
            line.excluded += 1
            continue
        took = attempt.answered - attempt.sent
        line.worst = max(line.worst, took)
        if took > limit:
            line.late += 1
            details.append(f"late: {attempt.id} sent {attempt.sent:.3f} answered "
                           f"{attempt.status} after {took:.3f} s")
    for source, found in ids.items():
        lines(source).events = len(found)
    for attempt in acked.values():
        lines(attempt.source).acked += 1
    return {id_: source for source, found in ids.items() for id_ in found}, withheld.union(acked)


def source_of(id_):
    return id_.partition(":")[0]


def check_rows(event, manifest, rows, expected):
    """What is wrong with an export's rows, or nothing."""
    if manifest.generation is None:
        return "its manifest names no generation"
    mine = [row.row for row in rows if row.generation == manifest.generation]
    if expected is not None and manifest.rows != expected:
        return f"{manifest.rows} rows in the manifest, {expected} in the file"
    if mine != list(range(1, manifest.rows + 1)):
        return (f"{len(mine)} rows of generation {manifest.generation}, {manifest.rows} in the "
                f"manifest{'' if sorted(mine) == mine else ', out of order'}")
    return None


def disorder(attempts, first):
    """Pairs of ids of one key, the second sent after the first was acked, that stand the other
    way round on events.v1 (places of first occurrences)."""
    begun, acked = {}, {}   # id -> its first attempt, when it was first told 202
    for attempt in sorted(attempts, key=lambda a: a.sent):
        begun.setdefault(attempt.id, attempt)
        if attempt.status == 202:
            acked[attempt.id] = min(attempt.answered, acked.get(attempt.id, attempt.answered))
    last, pairs = {}, []
    for id_, attempt in begun.items():
        if id_ not in acked or id_ not in first:
            continue
        before = last.get(attempt.key)
        if before and acked[before] < attempt.sent and first[before].offset > first[id_].offset:
            pairs.append((before, id_))
        last[attempt.key] = id_
    return pairs


def story(id_, attempts, records):
    """Where an id was seen, for whoever looks for the cause."""
    told = [f"sent {a.sent:.3f} -> {a.status or a.error}"
            + (f" {a.answered:.3f}" if a.answered else "") for a in attempts.get(id_, [])]
    seen = [f"{r.where()} {r.at:.3f}" for r in records.get(id_, []) if r.row is None]
    return "; ".join([*told, *(seen or ["on no topic"])])


def account(attempts, records, freezes=(), answer_within=3.0):
    """Attempts, Seen records in the order of reading, (begin, end) of the ingress' freezes."""
    by_source, details, problems = {}, [], []

    def lines(source):
        return by_source.setdefault(source, Line(source))

    sent, promised = count_attempts(lines, attempts, freezes, answer_within + SLACK, details)
    by_event, attempts_of = defaultdict(list), defaultdict(list)
    for record in records:
        by_event[record.event].append(record)
    for attempt in attempts:
        attempts_of[attempt.id].append(attempt)
    expected = {a.id: a.rows for a in attempts if a.rows is not None}
    without_reason, first = 0, {}

    def wrong(what, id_, how=""):
        problems.append((what, id_))
        details.append(f"{what}: {id_}{how}: {story(id_, attempts_of, by_event)}")

    for id_ in promised:
        if not any(r.topic in ("events", "dead-letters") for r in by_event.get(id_, ())):
            lines(source_of(id_)).lost += 1
            wrong("lost", id_)
    for id_, seen in by_event.items():
        line = lines(source_of(id_))
        topics = Counter(record.topic for record in seen)
        if topics["events"]:
            line.on_topic += 1
            line.twice += topics["events"] > 1
            first[id_] = next(r for r in seen if r.topic == "events")
        if id_ not in sent:
            line.unknown += 1
            wrong("unknown", id_)
        done = [r for r in seen if r.topic in TIMES]
        dead = [r for r in seen if r.topic == "dead-letters"]
        rows = [r for r in seen if r.topic == "export-rows"]
        line.enriched += bool(done)
        line.rows += len(rows)
        line.dead += bool(dead)
        without_reason += sum(not r.reason for r in dead)
        if topics["events"] and not done and not dead:
            line.missing += 1
            wrong("missing", id_)
        again = [f"{name} {count} times" for name, count in
                 Counter(r.id for r in (*done, *dead, *rows)).items() if count > 1]
        if again or (done and dead):
            line.duplicated += 1
            wrong("duplicated", id_, f" ({', '.join(again[:3]) or 'enriched and dead'})")
        for manifest in done if not again else ():
            if manifest.topic == "exports":
                why = check_rows(id_, manifest, rows, expected.get(id_))
                if why:
                    line.rows_wrong += 1
                    wrong("rows wrong", id_, f" ({why})")
    total = Line("all")
    for line in by_source.values():
        for name, value in vars(line).items():
            if name == "worst":
                total.worst = max(total.worst, value)
            elif name != "name":
                setattr(total, name, getattr(total, name) + value)
    turned = disorder(attempts, first)
    for pair in turned:
        details.append("out of order: " + " BEFORE ".join(
            f"{id_}: {story(id_, attempts_of, by_event)}" for id_ in pair))
    return Report(total, [by_source[name] for name in sorted(by_source)], answer_within, details,
                  len(turned), without_reason)


COLUMNS = (("source", "name"), ("sent", "events"), ("attempts", "attempts"), ("acked", "acked"),
           ("5xx", "refused"), ("no answer", "unanswered"), ("withheld", "withheld"), ("on events.v1", "on_topic"),
           ("(twice)", "twice"), ("lost", "lost"), ("enriched", "enriched"), ("rows", "rows"),
           ("dead-lettered", "dead"), ("duplicated", "duplicated"), ("missing", "missing"),
           ("unknown", "unknown"), ("rows wrong", "rows_wrong"), ("worst answer s", "worst"),
           ("late", "late"), ("not timed", "excluded"))


def table(report):
    """One line per figure, one column per source: it fits a terminal."""
    columns = [*report.lines, report.total]
    text = []
    for title, name in COLUMNS:
        cells = [getattr(column, name) for column in columns]
        cells = [f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in cells]
        text.append(f"{title:>15}" + "".join(f"  {cell:>14}" for cell in cells))
    text.append(f"out of order of one key: {report.disorder} (reported only); dead letters "
                f"without a reason: {report.without_reason}")
    return "\n".join(text)
