"""The page in a browser: an image is chosen and dropped, and the answer is read."""

from pathlib import Path

import numpy as np
import pytest
from browser import CHROMIUM, browser
from numpy.typing import NDArray
from PIL import Image

from cnnlab.api.opened import OpenedNetwork
from cnnlab.deploy.serve.run import ServedPage

DROP = """
new Promise((done) => document.createElement("canvas").toBlob((blob) => {
  const carried = new DataTransfer();
  carried.items.add(new File([blob], "<i>blank</i>.png"));
  document.dispatchEvent(new DragEvent("drop", { dataTransfer: carried, bubbles: true, cancelable: true }));
  done(true);
}))
"""
"""An image of the canvas's own, black, is let go over the page."""

PASTE = """
(() => {
  const carried = new DataTransfer();
  carried.items.add(new File(["no image"], "notes.txt"));
  document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: carried }));
})()
"""


@pytest.mark.skipif(not CHROMIUM, reason="needs chromium on the PATH")
def test_an_image_is_shown_and_answered(
    page: ServedPage, net: OpenedNetwork, images: NDArray[np.uint8], tmp_path: Path
) -> None:
    file = tmp_path / "photo.png"
    Image.fromarray(images[5]).save(file)
    with browser(tmp_path / "profile") as chromium:
        tab = chromium.tab()
        for domain in ("Network", "Runtime", "Log"):
            tab.ask(f"{domain}.enable")
        tab.open(page.url)
        assert tab.value("document.title") == f"{net.name} · cnnlab"
        tab.ask("Input.dispatchKeyEvent", type="keyDown", key="Tab", code="Tab", windowsVirtualKeyCode=9)
        assert tab.value("document.activeElement.id") == "file"  # by keyboard, at once

        tab.choose("#file", file)
        tab.wait("!document.getElementById('answer').hidden")
        prediction = net.predict(images[5])[0]
        assert tab.value("document.getElementById('label').textContent").startswith(f"{prediction.label}, ")
        assert tab.value("[...document.querySelectorAll('#top th')].map((one) => one.textContent)") == [
            label for label, _ in prediction.top[:2]
        ]
        assert tab.value("document.querySelectorAll('#label *, #top img, #top b, figcaption *').length") == 0
        assert tab.value("document.getElementById('status').textContent").startswith(f"Answer: {prediction.label}")
        shown = "[...document.images].every((one) => one.complete && one.naturalWidth > 0 && one.alt !== '')"
        assert tab.value(shown)
        assert tab.value("document.querySelectorAll('#neighbours img').length") == 3
        for width, dark in ((390, True), (1280, False)):
            tab.resize(width, 844, dark=dark)
            assert tab.value("document.documentElement.scrollWidth <= innerWidth")
            paper = tab.value("getComputedStyle(document.body).backgroundColor")
            assert (sum(map(int, paper[4:-1].split(","))) < 300) == dark

        tab.value(DROP)
        tab.wait("document.getElementById('status').textContent.startsWith('Answer') && !answer.hidden")
        blank = net.predict(np.zeros((16, 16, 3), np.uint8))[0]
        assert tab.value("document.querySelector('#top th').textContent") == blank.label
        tab.value(PASTE)
        tab.wait("document.getElementById('status').className === 'bad'")
        assert tab.value("answer.hidden")
        assert "the posted image" in tab.value("document.getElementById('status').textContent")

        told = [event for event in chromium.events if event["method"] in ("Runtime.exceptionThrown", "Log.entryAdded")]
        faults = [event["params"] for event in told if "400" not in str(event)]  # what was pasted is no image
        assert faults == []
        asked = [event["params"]["request"]["url"] for event in chromium.events
                 if event["method"] == "Network.requestWillBeSent"]  # fmt: skip
        assert all(url.startswith((page.url, "data:")) for url in asked)
