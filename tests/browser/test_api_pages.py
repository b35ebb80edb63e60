"""The API's pages in a real browser, under their own content security policy."""

from playwright.sync_api import Page
from pytest_django.live_server_helper import LiveServer


def test_the_pages_show_every_operation_and_fetch_nothing_from_elsewhere(page: Page, live_server: LiveServer) -> None:
    complaints: list[str] = []
    fetched: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: fetched.append(request.url))

    page.goto("/api/docs/")
    page.wait_for_selector(".opblock")

    assert page.locator('[data-path="/api/v1/profiles/{external_id}/"]').count() == 4
    assert complaints == []
    assert [url for url in fetched if not url.startswith((live_server.url, "data:"))] == []
