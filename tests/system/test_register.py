# SPDX-License-Identifier: Apache-2.0
"""Webhooks made known to the vendors, as far as they have an API for that."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from daemons import run

SECRET = "a-secret-of-32-characters-012345"
TOKEN = "api-token-0123456789"
PAGE = 2


class Account:
    """A vendor's list of webhooks, paged, at any path; remembers what it was asked."""

    def __init__(self, word, items, **more):
        self.word, self.items, self.more = word, items, more
        self.hooks, self.calls, self.replies = {}, [], {}
        self.next = 1
        self.number = lambda number: number
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def handler(account):
        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do(self):
                url = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                account.calls.append((self.command, url.path, url.query, body))
                code, reply = account.reply(self, url, body)
                data = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
                self.send_response(code)
                if code == 307:
                    self.send_header("Location", account.location)
                self.send_header("Content-Length", str(0 if code == 204 else len(data)))
                self.end_headers()
                if code != 204:
                    self.wfile.write(data)

            do_GET = do_POST = do_DELETE = do
        return Handler

    def reply(self, request, url, body):
        if request.headers["Authorization"] != f"{self.word} {TOKEN}":
            return 401, {"detail": "Incorrect authentication credentials."}
        if request.command in self.replies:
            return self.replies[request.command]
        if url.path == "/myself":
            return 200, {"username": "bot user@example.com", "email": "bot@example.com"}
        if request.command == "POST":
            number, self.next = self.number(self.next), self.next + 1
            self.hooks[str(number)] = {"id": number, **json.loads(body)}
            return 201, self.hooks[str(number)]
        if request.command == "DELETE":
            gone = self.hooks.pop(url.path.rstrip("/").rpartition("/")[2], None)
            return (204, b"") if gone else (404, {"detail": "Not found."})
        page = int(parse_qs(url.query)["page"][0])
        hooks = list(self.hooks.values())
        return 200, {self.items: hooks[(page - 1) * PAGE:page * PAGE], "page": page,
                     **{name: value(len(hooks)) for name, value in self.more.items()}}

    def close(self):
        self.server.shutdown()
        self.server.server_close()


VENDORS = {
    "probely": ("JWT", "results", dict(count=lambda n: n, length=lambda _: PAGE,
                                       page_total=lambda n: -(-n // PAGE))),
    "securityscorecard": ("Token", "entries", dict(size=lambda _: PAGE)),
    "taegis-vdr": ("Bearer", "items", {}),
}


class Site:
    def __init__(self, folder, vendor):
        word, items, more = VENDORS[vendor]
        self.account = Account(word, items, **more)
        self.hook = f"https://hooks.example.com/hooks/one/{SECRET}"
        self.config = folder / "vulnbus.yaml"
        self.config.write_text(f"""\
kafka: {{bootstrap_servers: "127.0.0.1:1"}}
ingress: {{public_url: "https://hooks.example.com"}}
sources:
  - name: one
    vendor: {vendor}
    base_url: {self.account.url}
    hook: {{secret: {SECRET}}}
    api: {{token: {TOKEN}, timeout: 5s}}
""")

    def register(self, *arguments):
        done = run("vulnbus", "-c", self.config, "register", *arguments, "one")
        if "--show-url" not in arguments:
            assert SECRET not in done.stdout + done.stderr
        assert TOKEN not in done.stdout + done.stderr
        return done

    def calls(self, method):
        return [call for call in self.account.calls if call[0] == method]


@pytest.fixture
def site(tmp_path, request):
    made = Site(tmp_path, getattr(request, "param", "probely"))
    yield made
    made.account.close()


FLAGS = {"probely": [], "securityscorecard": ["--undocumented"], "taegis-vdr": ["--undocumented"]}


@pytest.mark.parametrize("site", VENDORS, indirect=True)
def test_adding_twice_adds_once_and_removing_removes_it(site, request):
    flags = FLAGS[request.node.callspec.params["site"]]
    for number in range(5):     # others' webhooks, on several pages
        site.account.hooks[f"x{number}"] = {"id": f"x{number}", "name": "other",
                                            "url": f"https://other.example/{number}/hidden"}
    first, again = site.register(*flags), site.register(*flags)
    assert first.returncode == again.returncode == 0, first.stderr + again.stderr
    assert first.stdout == \
        "one: webhook 1 added: https://hooks.example.com/hooks/one/********\n"
    assert again.stdout == \
        "one: webhook 1 is there already: https://hooks.example.com/hooks/one/********\n"
    assert len(site.calls("POST")) == 1
    assert site.hook in json.dumps(site.account.hooks["1"])
    gone, nothing = site.register(*flags, "--remove"), site.register(*flags, "--remove")
    assert (gone.returncode, gone.stdout) == (0, "one: webhook 1 removed\n")
    assert (nothing.returncode, nothing.stdout) == \
        (0, "one: there is no webhook of this source\n")
    assert len(site.account.hooks) == 5 and len(site.calls("DELETE")) == 1


def test_what_probely_is_sent_is_what_it_documents(site):
    site.register()
    method, path, query, body = site.calls("POST")[0]
    assert (path, query) == ("/webhooks/", "")
    assert json.loads(body) == {"name": "one", "url": site.hook, "check_cert": True,
                                "api_version": "v1"}
    site.register("--remove")
    assert site.calls("DELETE")[0][1] == "/webhooks/1/"


def test_a_target_of_probely_has_webhooks_of_its_own(site):
    site.account.replies["POST"] = 200, {"id": "4Q7NsZ1Ys1z5", "event_type": "user_created"}
    done = site.register("--target", "a/b c")
    assert done.returncode == 0 and "webhook 4Q7NsZ1Ys1z5 added" in done.stdout
    assert {call[1] for call in site.account.calls} == {"/targets/a%2Fb%20c/webhooks/"}


@pytest.mark.parametrize("site", ["securityscorecard"], indirect=True)
def test_subscriptions_of_securityscorecard_are_those_of_the_account(site):
    assert site.register("--undocumented").returncode == 0
    assert site.account.calls[0][1] == "/myself"
    assert site.account.calls[1][1:3] == (
        "/subscriptions", "username=bot%20user%40example.com&page=1")
    workflow = json.loads(site.calls("POST")[0][3])["delivery"]["workflow"]
    assert workflow["steps"] == [{"action": {"value": "call_webhook",
                                             "url": {"value": site.hook}}}]


@pytest.mark.parametrize("site", ["securityscorecard", "taegis-vdr"], indirect=True)
def test_what_is_not_documented_is_asked_for_only_on_request(site):
    hidden, shown = site.register(), site.register("--show-url")
    assert hidden.returncode == shown.returncode == 0
    assert not site.account.calls
    assert "/hooks/one/********" in hidden.stdout and "--undocumented" in hidden.stdout
    assert site.hook in shown.stdout


@pytest.mark.parametrize("site", ["taegis-vdr"], indirect=True)
def test_the_connector_document_is_printed_and_what_is_sent_can_be_chosen(site):
    printed = site.register("--show-url").stdout
    document = json.loads(next(line for line in printed.splitlines() if line.startswith("{")))
    assert document == {name: {"url": site.hook} for name in (
        "scanSuccessWebhook", "scanFailureWebhook", "exportCompleteWebhook")}
    site.register("--undocumented", "--body", '{"delve": {url}, "title": {name}}')
    assert json.loads(site.calls("POST")[0][3]) == {"delve": site.hook, "title": "one"}


def test_the_list_says_which_is_ours_and_keeps_others_secrets(site):
    site.account.hooks["x"] = {"id": "x\x1b[31m", "url": "https://other.example/hidden-part"}
    site.register()
    hidden, shown = site.register("--list"), site.register("--list", "--show-url")
    assert hidden.stdout == (
        "\tother\thttps://other.example/********\n"
        "1\tthis source\thttps://hooks.example.com/hooks/one/********\n")
    assert "https://other.example/hidden-part\n" in shown.stdout and site.hook in shown.stdout


@pytest.mark.parametrize("method,reply,code,said", [
    ("POST", (400, {"url": ["Enter a valid URL.", "Too \x1bold."], "non_field_errors": ["No."]}),
     65, "url: Enter a valid URL.\n  url: Too ?old.\n  non_field_errors: No.\n"),
    ("GET", (403, {"detail": "You do not have permission."}), 77, "You do not have permission."),
    ("GET", (500, b"<html>cloudflare</html>"), 69, "HTTP 500"),
    ("GET", (429, b""), 69, "HTTP 429"),
    ("GET", (200, b"<html>"), 76, "not JSON"),
    ("GET", (200, b"[]"), 76, "no list"),
    ("GET", (200, {"results": "x"}), 76, "no list"),
])
def test_a_refusal_is_said_as_the_vendor_gives_it(site, method, reply, code, said):
    site.account.replies[method] = reply
    done = site.register()
    assert done.returncode == code and said in done.stderr and done.stdout == ""
    assert not site.account.hooks


def test_a_list_without_pages_is_read_once(site):
    site.account.replies["GET"] = 200, {"results": [{"id": 1, "url": "https://o.example/"}]}
    assert site.register().returncode == 0
    assert len(site.calls("GET")) == 2 and len(site.calls("POST")) == 1


def test_an_account_that_never_ends_is_not_read_for_ever(site):
    class Endless:
        def __getitem__(self, at):
            return (200, {"results": [{"id": len(site.account.calls)}]})[at]

        def __iter__(self):
            return iter((self[0], self[1]))
    site.account.replies["GET"] = Endless()
    done = site.register()
    assert done.returncode == 76 and "too many pages" in done.stderr


@pytest.mark.parametrize("number", [None, "", "x" * 201, "a\x00b", "\x1b[31m", {"a": 1}])
def test_a_webhook_without_an_id_that_can_be_asked_for_is_not_removed(site, number):
    site.account.hooks["x"] = {"id": number, "url": site.hook}
    done = site.register("--remove")
    assert done.returncode == 76 and "has no id" in done.stderr
    assert not site.calls("DELETE")


def test_others_secrets_are_kept_wherever_they_stand(site):
    for number, url in enumerate(("https://user:hidden@o.example/x", "https://o.example?token=hidden",
                                  "https://o.example?t=a/hidden", "https://o.example#hidden@x")):
        site.account.hooks[str(number)] = {"id": number, "url": url}
    done = site.register("--list")
    assert done.stdout.count("https://o.example/********") == 4 and "hidden" not in done.stdout


def test_a_refusal_that_names_our_url_is_printed_without_the_secret(site):
    site.account.replies["POST"] = 400, {"url": [f"{site.hook} is no good, {SECRET}!"]}
    done = site.register()
    assert done.returncode == 65 and "/hooks/one/******** is no good, ********!" in done.stderr


def test_a_redirect_of_what_changes_something_is_not_followed(site):
    site.register()
    site.account.replies["DELETE"] = 307, b""
    site.account.location = "/elsewhere/"
    done = site.register("--remove")
    assert done.returncode == 69 and "HTTP 307" in done.stderr
    assert [call[1] for call in site.calls("DELETE")] == ["/webhooks/1/"]


@pytest.mark.parametrize("site", ["securityscorecard"], indirect=True)
@pytest.mark.parametrize("flag", ["--list", "--remove"])
def test_what_is_not_done_is_no_success(site, flag):
    done = site.register(flag)
    assert done.returncode == 64 and "--undocumented" in done.stderr and not site.account.calls


def test_a_body_that_holds_itself_is_sent_as_it_stands(site):
    assert site.register("--body", '{"x": "{body}"}').returncode == 0
    assert json.loads(site.calls("POST")[0][3]) == {"x": "{body}"}
    done = site.register("--body", "x" * 20000)
    assert done.returncode == 65 and "too long" in done.stderr


def test_a_vendor_that_is_away(site):
    site.account.close()
    assert site.register().returncode == 69


@pytest.mark.parametrize("arguments,code,said", [
    (["--list", "--remove"], 64, "not both"),
    (["--nonsense"], 64, "nonsense"),
])
def test_wrong_calls(site, arguments, code, said):
    done = site.register(*arguments)
    assert done.returncode == code and said in done.stderr


@pytest.mark.parametrize("site", ["taegis-vdr"], indirect=True)
def test_a_vendor_without_targets(site):
    done = site.register("--target", "1")
    assert done.returncode == 64 and "no webhooks of a target" in done.stderr
