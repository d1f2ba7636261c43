"""The whole product – services, workers, gateway – and a real browser in front of it."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from deploy.local.stack import Stack
from tests.e2e.acting import Visit

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@dataclass(frozen=True)
class Product:
    """Where the running product is reached."""

    gateway_url: str


@pytest.fixture(scope="session")
def product(request: pytest.FixtureRequest) -> Product:
    """The product that GWANGSAN_GATEWAY_URL names, else one of its own for the whole run."""
    if url := os.environ.get("GWANGSAN_GATEWAY_URL"):
        return Product(url.rstrip("/"))
    running: Stack = request.getfixturevalue("whole_product")
    return Product(running.gateway_url)


@pytest_asyncio.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """The system's Chromium; without one the browser tests are skipped."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip("no Chromium on this machine; get it with: apt-get install chromium (or any Chrome on the PATH)")
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield chromium
        await chromium.close()


@pytest_asyncio.fixture
async def visit(product: Product, browser: Browser) -> AsyncIterator[Visit]:
    """A visitor at the first page, as a sample citizen of their own; fails if the browser's console told an error."""
    visitor = await Visit.begin(product.gateway_url, browser)
    yield visitor
    await visitor.end()
