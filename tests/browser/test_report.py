"""The page of `mirrorctl report` in a real browser: alone, in the dark, on a telephone, on paper.

The page is the one that the tests of the documentation have written: of a local cloud with something of everything.
"""

import base64
import re
import shutil
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "target" / "mirrorctl" / "mirrorctl" / "commands.in" / "report.html"
SCREENSHOT = ROOT / "target" / "mirrorctl" / "report.png"
# The least contrast that text must have (WCAG 2.2, level AA).
CONTRAST = 4.5


@pytest.fixture(scope="module")
def browser():
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    # As root, which the tests may be, Chromium only starts without its sandbox. The page is our own.
    for argument in ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1000,1400"]:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    driver = webdriver.Chrome(options, service)
    yield driver
    driver.quit()


@pytest.fixture
def page(browser):
    media(browser, "light", "screen")
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.get(PAGE.as_uri())
    return browser


def media(browser, scheme, kind):
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": kind, "features": features})


def texts(page, selector):
    return [element.text for element in page.find_elements(By.CSS_SELECTOR, selector)]


def test_it_needs_nothing_from_outside_and_has_no_complaints(page):
    assert page.execute_script("return performance.getEntriesByType('resource').length") == 0
    assert not re.search(r"https?://|<script|<link|<img|@import|url\(", PAGE.read_text())
    assert page.get_log("browser") == []
    policy = page.find_element(By.CSS_SELECTOR, "meta[http-equiv=Content-Security-Policy]")
    assert policy.get_attribute("content").startswith("default-src 'none'")


def test_each_picture_has_its_table(page):
    heat = texts(page, "table.heat tbody td")
    assert any(text.endswith("%") for text in heat), heat
    # The cells of the picture are the rows of the table below it.
    areas = page.find_elements(By.CSS_SELECTOR, "table.areas tbody tr")
    assert len(areas) == len([text for text in heat if text.endswith("%")])
    meters = page.find_elements(By.CSS_SELECTOR, "meter")
    assert meters and all(meter.get_attribute("aria-label") for meter in meters)
    assert len(page.find_elements(By.CSS_SELECTOR, "table.targets tbody tr")) >= len(meters)


def test_it_says_what_is_wrong_and_how_to_mend_it(page):
    obstacles = " ".join(texts(page, "table.obstacles tbody td"))
    for word in ["shadowed", "instance-type", "target-unknown", "delete-traffic-mirror-session"]:
        assert word in obstacles, obstacles
    assert "999999999999" in " ".join(texts(page, "table.foreign tbody td"))
    assert texts(page, "table.types tbody td") == ["t2.micro", "1", "t3.micro"]
    assert "USD a month" in " ".join(texts(page, ".figures li"))


def test_an_id_is_selected_whole_by_a_click(page):
    code = page.find_element(By.CSS_SELECTOR, "table.targets tbody code")
    code.click()
    assert page.execute_script("return getSelection().toString()") == code.text
    assert code.text.startswith("tmt-")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read(page, scheme):
    media(page, scheme, "screen")
    page.get(PAGE.as_uri())
    found = page.execute_script(COLOURS)
    assert len(found) > 50
    for text, colour, background in found:
        ratio = contrast(numbers(colour), numbers(background))
        assert ratio >= CONTRAST, f"{text!r}: {colour} on {background} is {ratio:.1f}"
    dark = luminance(numbers(found[0][2])) < 0.2
    assert dark == (scheme == "dark")


# Every element with a text of its own: the text, its colour, and the colour that is painted behind it.
COLOURS = """
const found = [];
for (const element of document.body.querySelectorAll('*')) {
  const own = [...element.childNodes].filter(node => node.nodeType === 3 && node.data.trim());
  if (!own.length || !element.getClientRects().length) continue;
  let behind = element, colour;
  do {
    colour = getComputedStyle(behind).backgroundColor;
    behind = behind.parentElement;
  } while (behind && colour === 'rgba(0, 0, 0, 0)');
  found.push([own[0].data.trim(), getComputedStyle(element).color, colour]);
}
return found;
"""


def numbers(colour):
    return [int(number) for number in re.findall(r"\d+", colour)[:3]]


def luminance(colour):
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (n / 255 for n in colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    lighter, darker = sorted([luminance(one), luminance(other)], reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_a_telephone_shows_it_without_scrolling_sideways(page):
    phone = {"width": 360, "height": 780, "deviceScaleFactor": 2, "mobile": True}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    page.get(PAGE.as_uri())
    assert page.execute_script("return innerWidth") == 360
    assert page.execute_script("return document.documentElement.scrollWidth") <= 360


def test_paper_holds_all_of_it(page):
    printed = page.execute_cdp_cmd("Page.printToPDF", {"printBackground": False})
    pdf = base64.b64decode(printed["data"])
    assert pdf.startswith(b"%PDF") and len(re.findall(rb"/Type\s*/Page\b", pdf)) >= 1
    media(page, "light", "print")
    # 180 mm, what an A4 page leaves between its margins.
    page.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 680, "height": 960, "deviceScaleFactor": 1, "mobile": False}
    )
    assert page.execute_script("return document.documentElement.scrollWidth") <= 680


def test_a_screenshot_of_it_is_kept(page):
    """docs/report.png is this file, copied by hand when the page changes."""
    assert page.save_screenshot(str(SCREENSHOT)) and SCREENSHOT.stat().st_size > 10_000
