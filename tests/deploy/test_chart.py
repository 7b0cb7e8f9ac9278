# SPDX-License-Identifier: Apache-2.0
"""The chart, rendered by both Helms and judged by other people's programs; and wrong values, which must be refused."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

import chart_files
from chart import CHART, HELMS, ROOT, TOOLS, VALUES, helm, objects, render

BUILD = (ROOT / os.environ.get("VULNBUS_BUILD", "build")).resolve()
CASES = [None, *VALUES]
# What kube-score wants besides, and why not.
NOT_WANTED = [
    # Releases have tags of their own or digests: IfNotPresent is right.
    "--ignore-test", "container-image-pull-policy",
    # A CPU limit throttles, and a vendor's answer would be late; memory is limited.
    "--ignore-container-cpu-limit",
]


def name_of(path):
    return path.stem if path else "default"


cases = pytest.mark.parametrize("values", CASES, ids=name_of)
versions = pytest.mark.parametrize("version", HELMS)


def files(values):
    return [values] if values else []


def run(*words, text=None):
    return subprocess.run([str(word) for word in words], input=text, capture_output=True, text=True, timeout=60)


@cases
@versions
def test_lint(values, version):
    done = helm("lint", "--strict", CHART, *(word for path in files(values) for word in ("-f", path)),
                version=version)
    assert done.returncode == 0, done.stdout + done.stderr


@cases
def test_both_helms_render_the_same(values):
    assert objects(render(*files(values), version=3)) == objects(render(*files(values), version=4))


@pytest.mark.parametrize("kubernetes", ["1.30", "1.37"])
def test_kubernetes_takes_it(kubernetes, tmp_path):
    paths = [tmp_path / f"{name_of(values)}.yaml" for values in CASES]
    for path, values in zip(paths, CASES):
        path.write_text(render(*files(values)))
    done = run(TOOLS / "python/bin/kubernetes-validate", "--strict", "-k", kubernetes, *paths)
    assert done.returncode == 0, done.stdout + done.stderr
    # What it has no schema for, the types in `admission` are for.
    unknown = set(re.findall(r"schema for kind (\w+)", done.stdout + done.stderr))
    assert unknown == {"HTTPRoute", "KafkaTopic", "KafkaUser", "PrometheusRule", "ScaledObject", "ServiceMonitor"}


def admit(text):
    return run(TOOLS / "bin/admission", text=text)


@cases
def test_admitted(values):
    """Strictly of the types of the projects whose objects these are, and pods "restricted"."""
    text = render(*files(values))
    done = admit(text)
    assert done.returncode == 0, done.stdout
    assert len(done.stdout.splitlines()) == len(objects(text))


def scored(text, path):
    path.write_text(text)
    return run(TOOLS / "bin/kube-score", "score", "--kubernetes-version", "v1.34", "-o", "ci",
               *NOT_WANTED, path)


@cases
def test_scored(values, tmp_path):
    done = scored(render(*files(values)), tmp_path / "rendered.yaml")
    assert done.returncode == 0, "\n".join(line for line in done.stdout.splitlines() if "CRITICAL" in line)
    assert "[OK]" in done.stdout


def test_everything_is_everything():
    """Each kind is in one of the rendered releases; names are unique and short enough."""
    seen = set()
    for values in VALUES:
        made = objects(render(*files(values)))
        names = [(it["kind"], it["metadata"]["name"]) for it in made]
        assert len(names) == len(set(names))
        seen |= {it["kind"] for it in made}
    assert seen == {"ConfigMap", "Deployment", "HTTPRoute", "HorizontalPodAutoscaler", "Ingress", "KafkaTopic",
                    "KafkaUser", "NetworkPolicy", "Pod", "PodDisruptionBudget", "PrometheusRule", "ScaledObject",
                    "Service", "ServiceAccount", "ServiceMonitor", "StatefulSet"}


def certificate(folder):
    """A certificate of its own, by the names that Secrets have for it."""
    folder.mkdir(parents=True)
    done = run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
               "-subj", "/CN=hooks.example.com", "-keyout", folder / "tls.key", "-out", folder / "tls.crt")
    assert done.returncode == 0, done.stderr
    shutil.copy(folder / "tls.crt", folder / "ca.crt")


def with_files(text, folder):
    """A vulnbus.yaml whose /run is `folder`, with something for all that it names there."""
    certificate(folder / "run/tls")
    for name in set(re.findall(r"/run/secrets/[^\s}\"]+", text)):
        path = folder / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text((folder / "run/tls/ca.crt").read_text() if name.endswith(".crt") else "0123456789abcdef\n")
    path = folder / "vulnbus.yaml"
    path.write_text(text.replace("/run/", f"{folder}/run/"))
    return path


@pytest.mark.parametrize("role", ["ingress", "enricher"])
@pytest.mark.parametrize("values", VALUES, ids=name_of)
def test_the_programs_take_their_configuration(values, role, tmp_path):
    made = next(it for it in objects(render(values))
                if it["kind"] == "ConfigMap" and it["metadata"]["name"] == f"r-vulnbus-{role}")
    path = with_files(made["data"]["vulnbus.yaml"], tmp_path)
    environment = {**os.environ, "POD_NAME": f"r-vulnbus-{role}-0"}
    done = subprocess.run([BUILD / f"vulnbus-{role}", "--check-config", "-c", path], capture_output=True, text=True,
                          timeout=60, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr


@versions
@pytest.mark.parametrize("word, meant", [("off", "off"), ('"off"', "off"), ("required", "required")])
def test_the_sandbox_can_be_off(word, meant, version, tmp_path):
    """YAML 1.1 reads `off` as false, and Helm with it; vulnbus wants the word."""
    more = tmp_path / "more.yaml"
    more.write_text(f"config: {{sandbox: {word}}}\n")
    made = objects(render(ROOT / "deploy/helm/ci/minimal.yaml", more, version=version))
    for role in ("ingress", "enricher"):
        text = next(it["data"]["vulnbus.yaml"] for it in made
                    if it["kind"] == "ConfigMap" and it["metadata"]["name"] == f"r-vulnbus-{role}")
        assert yaml.safe_load(text)["sandbox"] == meant
        path = with_files(text, tmp_path / role)
        done = subprocess.run([BUILD / f"vulnbus-{role}", "--check-config", "-c", path], capture_output=True,
                              text=True, timeout=60, env={**os.environ, "POD_NAME": "r-0"})
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("values", VALUES, ids=name_of)
def test_pods(values):
    made = objects(render(values))
    for it in made:
        if it["kind"] not in ("Deployment", "StatefulSet"):
            continue
        pod, role = it["spec"]["template"]["spec"], it["metadata"]["labels"]["app.kubernetes.io/component"]
        [each] = pod["containers"]
        assert [each[name]["httpGet"]["path"] for name in ("startupProbe", "livenessProbe", "readinessProbe")] == \
            ["/healthz", "/healthz", "/readyz"]
        # Kubernetes replaces what is mounted, but neither a subPath nor the environment.
        assert not [mount for mount in each["volumeMounts"] if "subPath" in mount]
        assert "secretKeyRef" not in str(each)
        # The program's own end fits between preStop and the kill.
        config = next(yaml.safe_load(other["data"]["vulnbus.yaml"]) for other in made
                      if other["kind"] == "ConfigMap" and other["metadata"]["name"] == it["metadata"]["name"])
        drain = int(config[role]["drain_within"].removesuffix("s"))
        wait = each["lifecycle"]["preStop"]["sleep"]["seconds"] if role == "ingress" else 0
        assert drain > 0 and (wait > 0) == (role == "ingress")
        assert pod["terminationGracePeriodSeconds"] >= wait + drain + 5


def test_topics_are_those_of_the_programs():
    text = (ROOT / "include/vulnbus/topics.h").read_text().replace("\\\n", " ")
    table = re.findall(r'X\(\w+,\s*"([\w-]+)",\s*"[\w-]*",\s*"([\w,]+)",\s*(?:(\d+) \* DAY_MS|0)\)', text)
    assert len(table) >= 9
    made = {it["metadata"]["name"]: it["spec"] for it in objects(render(ROOT / "deploy/helm/ci/everything.yaml"))
            if it["kind"] == "KafkaTopic"}
    assert made == {f"acme.vulnbus.{short}.v1": {
        "partitions": 12, "replicas": 3,
        "config": {"cleanup.policy": cleanup, "retention.ms": int(days or 14) * 86400000, "min.insync.replicas": 2},
    } for short, cleanup, days in table}


def test_the_topic_of_projections_is_made_where_they_are_on(tmp_path):
    more = tmp_path / "topics.yaml"
    more.write_text("strimzi: {cluster: events, topics: {enabled: true}}\n")
    made = {it["metadata"]["name"] for it in objects(render(ROOT / "deploy/helm/ci/minimal.yaml", more))
            if it["kind"] == "KafkaTopic"}
    assert "vulnbus.scans.v1" in made and "vulnbus.ocsf.v1" not in made


def rights(user):
    """What a KafkaUser may do to what, as the authorizer understands it: Read and Write imply Describe."""
    found = set()
    for acl in user["spec"]["authorization"]["acls"]:
        place = tuple(acl["resource"][key] for key in ("type", "name", "patternType"))
        found |= {(*place, operation) for operation in acl["operations"]}
        if {"Read", "Write"} & set(acl["operations"]):
            found.add((*place, "Describe"))
    return found


def covers(held, wanted):
    kind, name, pattern, operation = wanted
    return any(h[0] == kind and h[3] == operation and (
        h[1:3] == (name, pattern) or h[2] == "prefix" and name.startswith(h[1])) for h in held)


@pytest.mark.parametrize("role", ["ingress", "enricher"])
@pytest.mark.parametrize("create", [True, False])
def test_users_have_the_rights_that_the_tool_names(role, create, tmp_path):
    """`vulnbus topics --acls` names what is needed, and no more; the chart says the same in fewer lines."""
    more = tmp_path / "more.yaml"
    more.write_text(yaml.safe_dump({"strimzi": {"topics": {"enabled": not create}}}))
    made = objects(render(ROOT / "deploy/helm/ci/everything.yaml", more))
    text = next(it["data"]["vulnbus.yaml"] for it in made
                if it["kind"] == "ConfigMap" and it["metadata"]["name"] == f"r-vulnbus-{role}")
    path = with_files(text, tmp_path / "files")
    done = subprocess.run([BUILD / "vulnbus", "-c", path, "topics", "--acls", "strimzi"], capture_output=True,
                          text=True, timeout=60, env={**os.environ, "POD_NAME": f"r-vulnbus-{role}-0"})
    assert done.returncode == 0, done.stderr
    if role == "ingress":   # of the other's settings its file says nothing
        assert "acme-enricher" not in text
    named = {it["metadata"]["name"]: it for it in objects(done.stdout)}[f"vulnbus-{role}"]
    held = rights(next(it for it in made if it["kind"] == "KafkaUser" and it["metadata"]["name"] == f"r-vulnbus-{role}"))
    wanted = rights(named)
    assert not [each for each in wanted if not covers(held, each)]
    # Of a prefix, each topic; else the very same.
    topics = {each[1] for each in wanted if each[0] == "topic"}
    asked = {(kind, topic, "literal", operation) for kind, name, pattern, operation in held if kind == "topic"
             for topic in topics if topic == name or pattern == "prefix" and topic.startswith(name)}
    asked |= {each for each in held if each[0] != "topic"}
    assert not [each for each in asked if not covers(wanted, each)]


def test_alerts_and_scraping_agree_on_names():
    made = objects(render(ROOT / "deploy/helm/ci/everything.yaml"))
    monitor, rules = (next(it for it in made if it["kind"] == kind) for kind in ("ServiceMonitor", "PrometheusRule"))
    [endpoint] = monitor["spec"]["endpoints"]
    scraped = [it for it in made if it["kind"] == "Service" and
               monitor["spec"]["selector"]["matchLabels"].items() <= it["metadata"]["labels"].items()]
    assert len(scraped) == 2
    assert all([port["name"] for port in it["spec"]["ports"]] == [endpoint["port"]] for it in scraped)
    [relabelling] = endpoint["relabelings"]
    jobs = {relabelling["replacement"].replace("$1", it["metadata"]["labels"]["app.kubernetes.io/component"])
            for it in scraped}
    assert jobs == {"vulnbus-ingress", "vulnbus-enricher"} and relabelling["targetLabel"] == "job"
    asked = re.findall(r'job=~"([^"]+)"', json.dumps(rules).replace("\\", ""))
    assert asked and all(re.fullmatch(pattern, job) for pattern in asked for job in jobs)


def test_what_is_made_is_up_to_date():
    assert chart_files.stale() == []
    # Both files are in the chart, whatever is in them.
    assert "groups" in yaml.safe_load((CHART / "files/alerts.yaml").read_text())
    json.loads((CHART / "files/vulnbus.json").read_text())


WRONG = {
    "an unknown value": ("ingres.replicas=2", "ingres"),
    "an unknown value deeper": ("ingress.replica=2", "replica"),
    "no number": ("ingress.replicas=two", "replicas"),
    "a pull policy": ("image.pullPolicy=Sometimes", "pullPolicy"),
    "a digest": ("image.digest=sha256:abc", "digest"),
    "a service type": ("ingress.service.type=Public", "type"),
    "a port": ("ingress.service.port=70000", "port"),
    "a key of vulnbus.yaml that is none": ("config.ingress.answer_withn=3s", "answer_withn"),
    "a key that the chart settles": ("config.ingress.listen=0.0.0.0:1", "listen"),
    "an instance_id": ("config.enricher.instance_id=one", "instance_id"),
    "a duration without its unit": ("config.ingress.answer_within=3", "answer_within"),
    "a size without its unit": ("config.ingress.max_body=1000", "max_body"),
    "a format": ("config.topics.format=avro", "format"),
    "a password": ("config.kafka.properties.sasl\\.password=hunter2", "sasl.password"),
    "a password of one role": ("enricher.kafkaProperties.ssl\\.key\\.password=hunter2", "ssl.key.password"),
    "a source without a hook": ("sources[0].name=a,sources[0].vendor=probely", "hook"),
    "a source's name": ("sources[0].name=A_b,sources[0].vendor=probely,sources[0].hook.secret=${file:/x}", "name"),
    "a hook's secret": ("sources[0].name=a,sources[0].vendor=probely,sources[0].hook.secret=0123456789abcdef", "secret"),
    "a token": ("sources[0].name=a,sources[0].vendor=probely,sources[0].hook.secret=${file:/x},"
                "sources[0].api.token=abc", "token"),
    "a secret's directory": ("ingress.secrets.Up/down=x", "Up/down"),
    "no brokers": ("config.kafka.bootstrap_servers=null", "bootstrap_servers"),
    "TLS without a secret": ("ingress.tls.enabled=true", "secretName"),
    "an Ingress without hosts": ("route.ingress.enabled=true", "hosts"),
    "an HTTPRoute without parents": ("route.gateway.enabled=true", "parentRefs"),
    "spool and autoscaling": ("ingress.spool.enabled=true,ingress.autoscaling.enabled=true", "autoscaling"),
    "Strimzi without a cluster": ("strimzi.topics.enabled=true", "cluster"),
    "Strimzi's version": ("strimzi.apiVersion=kafka.strimzi.io/v2", "apiVersion"),
    "a scrape interval": ("monitoring.serviceMonitor.interval=often", "interval"),
    "no time to drain": ("ingress.drainSeconds=0", "drainSeconds"),
}


@versions
@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_values_are_refused(wrong, version):
    values, named = WRONG[wrong]
    values = values.replace("{", "\\{").replace("}", "\\}")
    done = helm("template", "r", CHART, "--set", values, version=version)
    assert done.returncode != 0 and named in done.stderr and "schema" in done.stderr, done.stderr


# (file, what stands there, what is put in its place, who finds it)
BROKEN = {
    "escalation": ("_pod.tpl", "allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true", "admission"),
    "a capability": ("_pod.tpl", "drop: [ALL]", "drop: [ALL], add: [SYS_ADMIN]", "admission"),
    "root": ("_pod.tpl", "runAsNonRoot: true\nrunAsUser: 10001", "runAsUser: 0", "admission"),
    "no seccomp": ("_pod.tpl", "seccompProfile: {type: RuntimeDefault}", "", "admission"),
    "a writable root": ("_pod.tpl", "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "kube-score"),
    "no limit of memory": ("../values.yaml", "limits: {memory: 768Mi, ephemeral-storage: 256Mi}",
                           "limits: {ephemeral-storage: 256Mi}", "kube-score"),
    "one probe for two": ("_pod.tpl", "path: /readyz", "path: /healthz", "kube-score"),
    "a misspelt field": ("_pod.tpl", "terminationGracePeriodSeconds", "terminationGraceSeconds", "admission"),
    "a wrong type": ("services.yaml", "publishNotReadyAddresses: true", "publishNotReadyAddresses: often",
                     "kubernetes-validate"),
    "a misspelt field of a ServiceMonitor": ("monitoring.yaml", "relabelings:", "relabelling:", "admission"),
    "a misspelt field of a KafkaUser": ("strimzi.yaml", "operations:", "operation:", "admission"),
    "a number where KEDA wants text": ("scaling.yaml", "lagThreshold | toString | quote", "lagThreshold", "admission"),
    "a NetworkPolicy of nobody": ("networkpolicies.yaml", '"vulnbus.selector" (dict "root" $ "role" $role) | nindent 6',
                                  '"vulnbus.selector" (dict "root" $ "role" "x") | nindent 6', "kube-score"),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_template_is_found(broken, tmp_path):
    """The judges above are awake: each fault is found by the one that is named."""
    where, right, wrong, judge = BROKEN[broken]
    copy = tmp_path / "vulnbus"
    shutil.copytree(CHART, copy)
    path = copy / "templates" / where
    text = path.read_text()
    assert right in text
    path.write_text(text.replace(right, wrong))
    rendered = render(ROOT / "deploy/helm/ci/everything.yaml", chart=copy)
    out = tmp_path / "rendered.yaml"
    out.write_text(rendered)
    done = {"admission": lambda: admit(rendered), "kube-score": lambda: scored(rendered, out),
            "kubernetes-validate": lambda: run(TOOLS / "python/bin/kubernetes-validate", "--strict", "-k", "1.34", out),
            }[judge]()
    assert done.returncode != 0, f"{judge} is content:\n{done.stdout}"
