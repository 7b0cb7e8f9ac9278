# SPDX-License-Identifier: Apache-2.0
"""A real browser, driven as W3C WebDriver says (chromedriver speaks it over HTTP)."""

import base64
import subprocess

import requests

from kafka import free_ports
from waiting import until

FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--disable-dev-shm-usage"]


class Browser:
    def __init__(self, folder):
        [port] = free_ports(1)
        self._log = open(folder / "chromedriver.log", "wb")
        self._driver = subprocess.Popen(["chromedriver", f"--port={port}"], stdin=subprocess.DEVNULL,
                                        stdout=self._log, stderr=self._log)
        self._url = f"http://127.0.0.1:{port}"
        until(self._answers, "chromedriver answers", 30)
        made = self._call("POST", "/session", {"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"args": [*FLAGS, f"--user-data-dir={folder}/profile"]}}}})
        self._url += f"/session/{made['sessionId']}"

    def _answers(self):
        try:
            return requests.get(f"{self._url}/status", timeout=2).json()["value"]["ready"]
        except requests.ConnectionError:
            return False

    def _call(self, method, path, body=None):
        answer = requests.request(method, self._url + path, json=body, timeout=60)
        value = answer.json()["value"]
        assert answer.ok, value
        return value

    def open(self, url, width=1200, height=900, is_dark=False):
        self.devtools("Emulation.setDeviceMetricsOverride", width=width, height=height,
                      deviceScaleFactor=1, mobile=width < 600)
        self.devtools("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}])
        self._call("POST", "/url", {"url": url})

    def devtools(self, command, **parameters):
        return self._call("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def run(self, script):
        return self._call("POST", "/execute/sync", {"script": script, "args": []})

    def text(self, selector="main"):
        return self.run(f"return document.querySelector({selector!r}).innerText")

    def picture(self, path):
        path.write_bytes(base64.b64decode(self._call("GET", "/screenshot")))

    def console(self):
        """What scripts and the page complained of."""
        return [entry["message"] for entry in self._call("POST", "/se/log", {"type": "browser"})]

    def close(self):
        try:
            self._call("DELETE", "")
        finally:
            self._driver.terminate()
            self._driver.wait(20)
            self._log.close()
