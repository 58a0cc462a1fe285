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
