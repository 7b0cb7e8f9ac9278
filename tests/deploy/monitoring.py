# SPDX-License-Identifier: Apache-2.0
"""`make check-monitoring`: the metrics' table, the alerts and the dashboard agree with each other and the code.

What needs the daemons' real /metrics is in tests/system/test_metrics.py, which takes its tools from here.
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
ALERTS = ROOT / "deploy/prometheus/alerts.yaml"
ALERTS_TEST = ROOT / "tests/deploy/alerts_test.yaml"
DASHBOARD = ROOT / "deploy/grafana/vulnbus.json"
TABLE = ROOT / "deploy/metrics.md"
RUN_BOOK = ROOT / "deploy/README.md"
RUN_BOOK_URL = "https://runbooks.example.com/vulnbus#"

DATA_SOURCE = {"type": "prometheus", "uid": "${datasource}"}   # whoever imports the dashboard says which

# What Prometheus adds to every series it reads, and what it makes itself.
TARGET_LABELS = {"job", "instance", "namespace"}
OF_PROMETHEUS = {"up"}

KEYWORDS = {"by", "without", "on", "ignoring", "group_left", "group_right", "and", "or", "unless",
            "bool", "offset", "inf", "nan"}
SELECTOR = re.compile(r"([a-zA-Z_:][\w:]*)\s*(\{[^}]*\})?(?=(\s*\()?)")
MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"((?:\\.|[^"\\])*)"')
GROUPING = re.compile(r"\b(by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")


class Query:
    """The names in one PromQL expression: enough of its grammar for what is asked here."""

    def __init__(self, text):
        self.text = text
        self.selectors = []      # (metric, [(label, operator, value)])
        self.labels = set()      # it groups or joins by
        for found in GROUPING.finditer(text):
            self.labels |= {name.strip() for name in found[2].split(",") if name.strip()}
        rest = GROUPING.sub(" ", text)
        rest = re.sub(r"\[[^\]]*\]", " ", rest)
        at = 0
        while found := SELECTOR.search(rest, at):
            at = found.end()
            if found[1].lower() in KEYWORDS or (found[3] and not found[2]):
                continue
            if re.match(r"\d", rest[found.start() - 1: found.start()] or " "):
                continue         # the unit of a number
            self.selectors.append((found[1], MATCHER.findall(found[2] or "")))


def base_name(metric, histograms):
    name = re.sub(r"_(bucket|sum|count)$", "", metric)
    return name if name in histograms else metric


def table(text):
    """name -> (type, daemon, labels, words of the last label), of the table as printed."""
    rows = {}
    for line in text.splitlines():
        found = re.fullmatch(r"\| `(\w+)` \| (\w+) \| (\w+) \| (.*) \| (.+) \| (.+) \|", line)
        if found:
            labels, _, words = found[4].partition(":")
            rows[found[1]] = (found[2], found[3], re.findall(r"`(\w+)`", labels), words.split())
    return rows


def wrong_names(query, rows):
    """What a query names and the table does not have."""
    query = Query(query)
    histograms = {name for name, row in rows.items() if row[0] == "histogram"}
    known, wrong = set(TARGET_LABELS), []
    for metric, matchers in query.selectors:
        row = rows.get(base_name(metric, histograms))
        if row is None:
            if metric not in OF_PROMETHEUS:
                wrong.append(f"no metric {metric}")
            continue
        labels = set(row[2]) | ({"le"} if metric.endswith("_bucket") else set())
        known |= labels
        for label, operator, value in matchers:
            if label not in labels | TARGET_LABELS:
                wrong.append(f"{metric} has no label {label}")
            elif row[3] and label == row[2][-1]:
                values = value.split("|") if "~" in operator else [value]
                wrong += [f"{metric}: {label} is never {each}" for each in values
                          if each not in row[3] and not value.startswith("$")]
    return wrong + [f"groups by {label}" for label in sorted(query.labels - known)]


def alerts():
    """name -> (expression, annotations, labels); the file is made of the forms that are read here."""
    made, name, key = {}, None, None
    for line in ALERTS.read_text().splitlines():
        text = line.strip()
        if found := re.match(r"- alert: (\w+)", text):
            name = found[1]
            made[name] = {"expr": ""}
        elif name and (found := re.match(r"(expr|for|labels|summary|description|runbook_url): (.*)", text)):
            key = found[1]
            made[name][key] = "" if found[2] == "|-" else found[2].strip("'")
        elif name and key == "expr" and text:
            made[name]["expr"] += " " + text
    return made


def panels(node=None):
    """Every panel of the dashboard, those in rows too."""
    node = json.loads(DASHBOARD.read_text()) if node is None else node
    for panel in node.get("panels", []):
        yield panel
        yield from panels(panel)


def plain(expression):
    """A dashboard's query without Grafana's variables."""
    for variable, value in (("$__rate_interval", "5m"), ("$__range", "1h"), ("$job", ".*"),
                            ("$instance", ".*")):
        expression = expression.replace(variable, value)
    assert "$" not in expression, expression
    return expression


def queries():
    """(where it stands, PromQL) of all that the dashboard asks for."""
    for panel in panels():
        for target in panel.get("targets", []):
            yield f"panel {panel['title']!r}", plain(target["expr"])
    for variable in json.loads(DASHBOARD.read_text())["templating"]["list"]:
        if variable["type"] == "query":
            inside = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["definition"])
            yield f"variable {variable['name']!r}", f"count by ({inside[2]}) ({plain(inside[1])})"


def promtool(tool, *arguments, **more):
    return subprocess.run([tool, *arguments], capture_output=True, text=True, timeout=60, **more)


class Check:
    def __init__(self, tool, vulnbus):
        self.tool = tool
        self.vulnbus = vulnbus
        self.found = []

    def say(self, where, text):
        self.found.append(f"{where}: {text}")

    def ran(self, where, made):
        if made.returncode != 0:
            self.say(where, (made.stdout + made.stderr).strip())

    def the_table_is_the_programs(self):
        made = subprocess.run([self.vulnbus, "metrics-reference"], capture_output=True, text=True)
        if made.returncode != 0 or made.stdout != TABLE.read_text():
            self.say(TABLE.name, "is not what `vulnbus metrics-reference` prints: make metrics")
        self.rows = table(made.stdout)
        if len(self.rows) < 40:
            self.say(TABLE.name, f"only {len(self.rows)} rows were understood")

    def rules_are_rules(self):
        made = promtool(self.tool, "check", "rules", "--lint=all", "--lint-fatal", ALERTS)
        self.ran(ALERTS.name, made)
        if f" {len(alerts())} rules found" not in made.stdout:
            self.say(ALERTS.name, f"{len(alerts())} alerts are understood here: {made.stdout.strip()}")
        self.ran(ALERTS_TEST.name, promtool(self.tool, "test", "rules", ALERTS_TEST))
        tests = ALERTS_TEST.read_text()
        for name in alerts():
            asked = tests.count(f'- expr: ALERTS{{alertname="{name}",alertstate="firing"}}')
            fired = tests.count(f"{{labels: 'ALERTS{{alertname=\"{name}\",alertstate=\"firing\"")
            if not (fired >= 1 and asked > fired):
                self.say(ALERTS_TEST.name, f"{name}: {fired} cases that fire, {asked - fired} that do not")

    def alerts_lead_into_the_run_book(self):
        headings = set(re.findall(r"^#### (\w+)$", RUN_BOOK.read_text(), re.M))
        for name, alert in alerts().items():
            if alert.get("runbook_url") != RUN_BOOK_URL + name.lower():
                self.say(ALERTS.name, f"{name}: its runbook_url is not {RUN_BOOK_URL}{name.lower()}")
            for key, part in ("summary", ""), ("description", ""), ("labels", "severity"):
                if not alert.get(key) or part not in alert[key]:
                    self.say(ALERTS.name, f"{name}: no {part or key}")
        for name in sorted(headings ^ alerts().keys()):
            self.say(RUN_BOOK.name, f"{name}: a section and an alert belong together")

    def queries_name_what_there_is(self):
        for name, alert in alerts().items():
            for text in wrong_names(alert["expr"], self.rows):
                self.say(ALERTS.name, f"{name}: {text}")
        for where, query in queries():
            for text in wrong_names(query, self.rows):
                self.say(DASHBOARD.name, f"{where}: {text}: {query}")

    def queries_are_promql(self):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write("groups:\n  - name: dashboard\n    rules:\n")
            for number, (where, query) in enumerate(queries()):
                file.write(f"      - record: q:{number}\n        labels: {{of: {json.dumps(where)}}}\n"
                           f"        expr: {json.dumps(query)}\n")
            file.flush()
            self.ran(DASHBOARD.name, promtool(self.tool, "check", "rules", file.name))

    def the_dashboard_holds_together(self):
        ids, made = set(), list(panels())
        for panel in made:
            if panel["id"] in ids:
                self.say(DASHBOARD.name, f"panel id {panel['id']} twice")
            ids.add(panel["id"])
            if panel["type"] != "row" and not panel.get("targets"):
                self.say(DASHBOARD.name, f"panel {panel['title']!r} asks for nothing")
            if panel["type"] != "row" and panel["datasource"] != DATA_SOURCE:
                self.say(DASHBOARD.name, f"panel {panel['title']!r} has a data source of its own")
        self.overlaps([panel for panel in made if panel["type"] != "row"])

    def overlaps(self, made):
        places = {}
        for panel in made:
            at = panel["gridPos"]
            for x in range(at["x"], at["x"] + at["w"]):
                for y in range(at["y"], at["y"] + at["h"]):
                    if x >= 24 or (x, y) in places:
                        self.say(DASHBOARD.name, f"panel {panel['title']!r} has no place of its own")
                        return
                    places[x, y] = panel

    def everything(self):
        self.the_table_is_the_programs()
        self.rules_are_rules()
        self.alerts_lead_into_the_run_book()
        self.queries_name_what_there_is()
        self.queries_are_promql()
        self.the_dashboard_holds_together()
        return self.found


def main():
    tool, vulnbus = sys.argv[1:]
    found = Check(tool, vulnbus).everything()
    for text in found:
        print(text)
    if not found:
        print(f"monitoring: {len(alerts())} alerts, {len(list(queries()))} queries, "
              f"{len(table(TABLE.read_text()))} metrics")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
