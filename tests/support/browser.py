"""Headless Chromium, as a person sees and uses a page. Uses the browser of this machine; none is downloaded."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NAMES = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = ("--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu")  # root in a container


@contextmanager
def chromium() -> Iterator[Browser]:
    """A running browser. Fails where none is installed: its tests are left out with -m "not browser"."""
    from playwright.sync_api import sync_playwright

    found = next(filter(None, map(shutil.which, NAMES)), None)
    assert found, "tests with the mark `browser` need Chromium: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=[*OPTIONS])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def page_in(browser: Browser, width: int = 1280, height: int = 800, offline: bool = True) -> Iterator[Page]:
    """A new page that reaches nothing but files, or with `offline=False` servers; an error in it fails the test."""
    context = browser.new_context(viewport={"width": width, "height": height}, offline=offline)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    try:
        yield page
    finally:
        context.close()
    assert not errors, errors


CONTRASTS = """() => {
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const linear = (value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
  const isPaint = (colour) => colour !== "none" && numbers(colour)[3] !== 0;

  function behind(node) {
    const box = node.getBoundingClientRect();
    const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
    const fills = [...(node.ownerSVGElement?.querySelectorAll("rect") ?? [])]
      .filter((each) => each.compareDocumentPosition(node) & Node.DOCUMENT_POSITION_FOLLOWING)
      .filter((each) => {
        const { left, right, top, bottom } = each.getBoundingClientRect();
        return left <= x && x <= right && top <= y && y <= bottom;
      })
      .map((each) => getComputedStyle(each).fill);
    const colours = [];
    for (let each = node; each; each = each.parentElement) colours.push(getComputedStyle(each).backgroundColor);
    return numbers([...fills.reverse(), ...colours].find(isPaint));
  }

  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !node.checkVisibility() || node.closest("script, noscript, title")) continue;
    const style = getComputedStyle(node);
    const [a, b] = [numbers(node.ownerSVGElement ? style.fill : style.color), behind(node)].map(light);
    found.push([(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), node.textContent]);
  }
  return found;
}"""
"""How much each text differs from what is behind it, and the text."""

UNNAMED = """() => [...document.querySelectorAll("button, svg, [tabindex], section")]
  .filter((each) => !each.closest("[aria-hidden=true], [hidden]"))
  .filter((each) => !(each.getAttribute("aria-label") || each.textContent.trim())).length"""
"""How many things that a screen reader stops at have no name."""
