"""A headless Chromium, asked over the pipe of its DevTools protocol: no driver, no port, no library."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-extensions",
)
"""As root in a container, and without what a start may do besides."""

OFFLINE = ("--proxy-server=127.0.0.1:1", "--proxy-bypass-list=127.0.0.1")
"""Nothing but this machine is reached, whatever a page or the browser itself asks for."""

PIPES = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""A browser reads its commands from 3 and answers to 4."""


class Tab:
    """One page of the browser."""

    def __init__(self, browser: "Browser", session: str) -> None:
        self._browser, self._session = browser, session

    def ask(self, method: str, **parameters: Any) -> Any:
        """The result of a command of the protocol."""
        return self._browser.ask(method, self._session, **parameters)

    def open(self, url: str) -> None:
        """Go to `url`, and wait until it and its files are there."""
        self.ask("Page.navigate", url=url)
        self.wait("document.readyState === 'complete' && location.href !== 'about:blank'")

    def value(self, expression: str) -> Any:
        """What a JavaScript expression is; promises are waited for."""
        found = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def wait(self, condition: str, seconds: float = 20.0) -> None:
        """Wait until a JavaScript expression is true."""
        waiting = (
            f"new Promise((done, late) => {{ const end = Date.now() + {1000 * seconds}; const look = () => "
            f"({condition}) ? done(true) : Date.now() > end ? late('{seconds} s') : setTimeout(look, 20); look(); }})"
        )
        assert self.value(waiting), condition

    def choose(self, selector: str, *files: Path) -> None:
        """Choose files in an input."""
        root = self.ask("DOM.getDocument")["root"]["nodeId"]
        node = self.ask("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.ask("DOM.setFileInputFiles", nodeId=node, files=[str(file) for file in files])

    def resize(self, width: int, height: int, *, dark: bool) -> None:
        """Be a screen of so many CSS pixels, whose reader likes it dark or light."""
        self.ask(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])


class Browser:
    """A running Chromium."""

    def __init__(self, process: "subprocess.Popen[bytes]", asks: Any, answers: Any) -> None:
        self._process, self._asks, self._answers, self._last = process, asks, answers, 0
        self.events: list[dict[str, Any]] = []
        """What it told by itself, so far."""

    def ask(self, method: str, session: str = "", **parameters: Any) -> Any:
        """The result of a command of the protocol."""
        self._last += 1
        message = {"id": self._last, "method": method, "params": parameters} | (
            {"sessionId": session} if session else {}
        )
        self._asks.write(json.dumps(message).encode() + b"\0")
        self._asks.flush()
        while True:
            answer = self._message()
            if answer.get("id") == self._last:
                assert "error" not in answer, answer["error"]
                return answer["result"]
            self.events.append(answer)

    def tab(self) -> Tab:
        """A new page."""
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        return Tab(self, self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"])

    def _message(self) -> Any:
        found = bytearray()
        while (byte := self._answers.read(1)) != b"\0":
            assert byte, "the browser has ended"
            found += byte
        return json.loads(found)


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """A browser that keeps what it keeps in `folder`; it ends with the block."""
    to_browser, asks = os.pipe()
    answers, from_browser = os.pipe()

    command = [CHROMIUM, *FLAGS, *OFFLINE, "--remote-debugging-pipe", f"--user-data-dir={folder}", "about:blank"]
    process = subprocess.Popen(
        [sys.executable, "-S", "-E", "-c", PIPES, str(to_browser), str(from_browser), *command],
        pass_fds=(to_browser, from_browser),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(to_browser)
    os.close(from_browser)
    with os.fdopen(asks, "wb") as writing, os.fdopen(answers, "rb") as reading:
        try:
            found = Browser(process, writing, reading)
            yield found
            found.ask("Browser.close")
        finally:
            process.terminate()
            process.wait()
