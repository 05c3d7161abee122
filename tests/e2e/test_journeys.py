"""Journeys in a real browser, and what only a browser can tell: layout, escaping after sanitising, requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.visits import HOSTILE, Visit

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.e2e


def test_ask_read_and_check_a_citation(visit: Visit) -> None:
    from playwright.sync_api import expect

    page = visit.page
    visit.ask("Why do we get a fever when we are sick?")
    page.locator(".lfqa-tally").wait_for()
    expect(page.locator(".lfqa-question")).to_have_text("Why do we get a fever when we are sick?")
    expect(page.locator(".lfqa-passage")).to_have_count(6)
    expect(page.locator(".lfqa-steps .lfqa-done")).to_have_count(4)

    mark = page.locator(".lfqa-cite").first
    card = page.locator(f"#{mark.get_attribute('popovertarget')}")
    expect(card).to_be_hidden()
    mark.click()
    expect(card).to_be_visible()
    words = card.locator("mark").inner_text()
    passage = page.locator(f"#passage-{mark.inner_text().strip('[]')}")
    assert len(words) > 20 and words in passage.locator(".lfqa-text").inner_text()
    assert words in " ".join(passage.locator("mark").all_inner_texts())

    page.keyboard.press("Escape")
    expect(card).to_be_hidden()
    mark.focus()
    page.keyboard.press("Enter")
    expect(card).to_be_visible()
    card.get_by_label("Close").click()
    expect(card).to_be_hidden()
    visit.assert_nothing_scrolls_sideways()
    visit.assert_only_our_host()


def test_compare_three_retrievers(visit: Visit) -> None:
    from playwright.sync_api import expect

    page = visit.page
    page.goto(visit.address)
    page.get_by_label("Question").wait_for()
    page.get_by_role("link", name="Compare").click()
    expect(page.get_by_role("heading", name="Compare retrievers")).to_be_visible()
    box = page.get_by_label("Question")
    box.fill("What's the difference between viruses and bacteria?")
    box.press("Enter")
    expect(page.locator(".lfqa-column + .lfqa-steps .lfqa-total")).to_have_count(3)
    expect(page.locator(".lfqa-column h3")).to_have_text(["Dense", "BM25", "Hybrid"])
    expect(page.locator(".lfqa-answer")).to_have_count(3)
    expect(page.locator(".lfqa-overlap dt")).to_have_count(4)

    lists = [column.locator(".lfqa-title").all_inner_texts() for column in page.locator(".lfqa-compact").all()]
    everywhere = len(set(lists[0]) & set(lists[1]) & set(lists[2]))
    assert [len(titles) for titles in lists] == [6, 6, 6]
    assert page.locator(".lfqa-overlap b").first.inner_text() == str(everywhere)
    assert page.locator(".lfqa-all").count() == 3 * everywhere

    page.locator(".lfqa-compact summary").first.click()
    expect(page.locator(".lfqa-compact .lfqa-text").first).to_be_visible()
    visit.assert_nothing_scrolls_sideways()
    visit.assert_only_our_host()


def test_hostile_passages_are_shown_literally_and_run_nothing(visit: Visit) -> None:
    visit.ask("What does the $zorblat$ **valve** cost?")
    passage = visit.page.locator(".lfqa-passage", has_text="Zorblat").first
    passage.wait_for()
    visit.page.locator(".lfqa-tally, .lfqa-abstained").first.wait_for()
    assert passage.locator(".lfqa-text").inner_text() == HOSTILE
    assert passage.locator("cite").inner_text() == "<b>Zorblat</b> $x$"
    assert visit.page.locator(".lfqa-question").inner_text() == "What does the $zorblat$ **valve** cost?"
    near = visit.page.locator(".lfqa-nearest")
    near.locator("summary").click()
    assert near.locator("h3").inner_text() == "What does a **zorblat** <b>valve</b> cost?"
    assert near.locator(".lfqa-text").inner_text() == HOSTILE
    assert visit.page.evaluate("window.broken") is None
    assert visit.page.locator(".stHtml").locator("img, script, a").count() == 0
    visit.assert_only_our_host()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_nothing_scrolls_sideways(browser: Browser, address: str, scheme: str) -> None:
    visit = Visit(browser, address, 390, 844, scheme)
    try:
        visit.ask("How can we set a date to the beginning or end of an artistic period? Doesn't the change happen gradually?")
        visit.page.locator(".lfqa-tally, .lfqa-abstained").first.wait_for()
        visit.assert_nothing_scrolls_sideways()
        if visit.page.locator(".lfqa-cite").count():
            visit.page.locator(".lfqa-cite").first.click()
            card = visit.page.locator(".lfqa-evidence:popover-open").bounding_box()
            assert card and card["x"] >= 0 and card["x"] + card["width"] <= 390 and card["y"] >= 0 and card["y"] + card["height"] <= 845
        visit.ask("How do people make chocolate?", "/compare")
        visit.page.locator(".lfqa-column + .lfqa-steps .lfqa-total").nth(2).wait_for()
        visit.assert_nothing_scrolls_sideways()
        visit.assert_only_our_host()
    finally:
        visit.context.close()
