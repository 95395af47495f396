"""The page at / and the form at /docs in a real browser."""

from __future__ import annotations

import json

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.helpers.browser import Watched, opened
from tests.serving import web
from tests.serving.playable import WORDS, write_playable
from tests.serving.running import running


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    base = tmp_path_factory.mktemp("playable")
    write_playable(base / "1")
    with running("--model_name=playable", f"--model_base_path={base}") as started:
        yield started


@pytest.fixture(scope="module")
def browser():
    with opened() as started:
        yield started


@pytest.fixture
def open_page(browser, address):
    """Opens a path; when the test ends, nothing must have been complained of or asked elsewhere."""
    seen = []

    def open_it(path="/", **size):
        watched = Watched(browser, address.rest, **size)
        seen.append(watched)
        watched.page.goto(address.rest + path)
        return watched.page

    yield open_it
    for watched in seen:
        watched.page.context.close()
        assert (watched.errors, watched.foreign) == ([], [])


def bars(page):
    return page.locator("section:not([hidden]) .bars .word").all_inner_texts()


def test_words_are_offered_and_taken(open_page):
    page = open_page()
    page.wait_for_selector(".bars button")
    assert bars(page) == WORDS  # one of them looks like HTML, and is shown as it is
    box = page.get_by_label("Type")
    box.fill("")
    box.press_sequentially("I would like ")
    page.get_by_role("button", name="know,").click()
    assert box.input_value() == "I would like know "
    box.press("Tab")
    assert box.input_value() == "I would like know go "
    box.press_sequentially("k")
    expect(page.locator(".bars .word").first).to_have_text("…know")
    box.press("Tab")
    assert box.input_value() == "I would like know go know "
    box.press("Escape")
    box.press("Tab")
    assert page.evaluate("document.activeElement.className") == "bar"


def test_the_shown_call_gives_what_is_shown(open_page, address):
    page = open_page()
    box = page.get_by_label("Type")
    box.fill("it's")
    # The policy forbids `wait_for_function`, which evaluates a text.
    expect(page.locator("#calls pre").first).to_contain_text("it'\\''s")
    page.get_by_role("button", name="Run the REST call").click()
    page.wait_for_selector("#answer:not([hidden])")
    body = {"signature_name": "next_word", "inputs": {"text": ["it's"]}}
    expected = web.post(address.rest, "/v1/models/playable:predict", body).json
    assert json.loads(page.locator("#answer").inner_text()) == expected
    assert expected["outputs"]["words"][0] == bars(page)
    page.get_by_role("button", name="Copy the call: REST").click()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == page.locator("#calls pre").first.inner_text()
    assert "playable:predict" in copied


def test_sentences_blanks_and_translations(open_page):
    page = open_page()
    page.get_by_role("tab", name="Compare").click()
    page.get_by_label("Sentences, one a line").fill("a longer sentence\na b")
    expect(page.locator("#panel-compare li")).to_have_count(2)
    first = page.locator("#panel-compare li").first
    assert first.locator(".token span:first-child").all_inner_texts() == ["a", "b", "<eos>"]
    assert "log-probability −6.30, 3 tokens" in first.inner_text()
    page.get_by_role("tab", name="Compare").press("ArrowRight")
    page.get_by_label("A sentence with one blank").fill("I ___ you")
    page.get_by_role("button", name="see,").click()
    assert page.get_by_label("A sentence with one blank").input_value() == "I see you"
    page.get_by_role("tab", name="Translate").click()
    page.get_by_label("Text").fill("Wo ist sie?")
    expect(page.locator("table.attention thead th")).to_have_count(3)
    assert page.locator("#panel-translate li strong").all_inner_texts() == [
        "Where is the station?",
        "Where's the station?",
    ]
    assert page.locator("table.attention tbody th").all_inner_texts() == ["WO", "IST", "SIE?"]
    assert page.locator("table.attention td:not(:empty)").first.inner_text() == "100 %"


def test_the_form_runs_any_signature(open_page, address):
    page = open_page("/docs")
    page.get_by_label("Signature").select_option("token_log_probs")
    page.get_by_label("text (string [?])").fill('["a b"]')
    page.get_by_role("button", name="Run").click()
    page.wait_for_selector("#answer:not([hidden])")
    assert json.loads(page.locator("#answer").inner_text())["outputs"]["tokens"] == [
        ["a", "b", "<eos>"]
    ]
    page.get_by_label("text (string [?])").fill("a b")
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_role("alert")).to_contain_text("is not JSON")


LOOKS = [
    ("/", 1280, "light"),
    ("/#compare", 390, "dark"),
    ("/#fill", 1280, "dark"),
    ("/#translate", 390, "light"),
    ("/docs", 390, "dark"),
]


@pytest.mark.parametrize(("path", "width", "scheme"), LOOKS)
def test_nobody_is_shut_out(open_page, path, width, scheme):
    """axe-core finds no violation, and nothing is wider than the window."""
    page = open_page(path, width=width)
    page.emulate_media(color_scheme=scheme)
    page.wait_for_selector("#calls pre")
    page.wait_for_timeout(100)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    found = Axe().run(page).response["violations"]
    assert [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in found] == []
