"""The pages in a real browser; their screenshots are kept as docs/images/ when SCREENSHOTS is set."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, Run

from airspark import airflow_api, platform
from airspark.forward import Forward

SHOTS = ROOT / "docs/images" if os.environ.get("SCREENSHOTS") else ROOT / ".build/screenshots"


@pytest.fixture
def page(browser: Any) -> Any:
    """A fresh page of a fresh profile."""
    context = browser.new_context(viewport={"width": 1400, "height": 800})
    context.set_default_timeout(180_000)
    yield context.new_page()
    context.close()


def shot(page: Any, name: str) -> Path:
    """Keep a screenshot."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    path = SHOTS / f"{name}.png"
    page.screenshot(path=str(path))
    return path


def log_in(page: Any, url: str) -> None:
    """Log in on Airflow's own login page."""
    username, password = airflow_api.admin()
    page.goto(f"{url}/auth/login/")
    page.fill("input[name=username]", username)
    page.fill("input[name=password]", password)
    page.click("input[type=submit], button[type=submit]")
    page.wait_for_url(lambda address: "login" not in address)


def test_should_answer_with_a_login_page_and_refuse_a_wrong_password(up: None, page: Any) -> None:
    with Forward("svc/airspark-api-server", 8080) as forward:
        page.goto(f"{forward.url}/auth/login/")
        page.fill("input[name=username]", "admin")
        page.fill("input[name=password]", "wrong")
        page.click("input[type=submit], button[type=submit]")
        page.wait_for_load_state()
        assert "login" in page.url


def test_should_begin_with_the_time_zone_of_the_platform_and_keep_the_one_that_is_selected(up: None, page: Any) -> None:
    stored = "JSON.parse(localStorage.getItem('timezone'))"
    with Forward("svc/airspark-api-server", 8080) as forward:
        log_in(page, forward.url)
        page.goto(f"{forward.url}/dags")
        assert page.evaluate(stored) == platform.time_zone()
        page.evaluate("localStorage.setItem('timezone', JSON.stringify('America/New_York'))")
        page.reload()
        assert page.evaluate(stored) == "America/New_York"


def test_should_show_the_run_in_the_grid_and_the_log_of_a_task(demo_run: Run, page: Any) -> None:
    with Forward("svc/airspark-api-server", 8080) as forward:
        log_in(page, forward.url)
        page.goto(f"{forward.url}/dags/etl_daily")
        page.get_by_text("transform").first.wait_for()
        page.get_by_text("publish").first.wait_for()
        page.wait_for_timeout(1500)  # the grid paints its bars after the data came; there is no mark to wait for
        assert shot(page, "airflow-grid").stat().st_size > 20_000


def test_should_show_the_workers_and_the_finished_application(demo_run: Run, page: Any) -> None:
    with Forward("svc/airspark-spark-master", 8080) as forward:
        page.goto(forward.url)
        page.get_by_text("Alive").first.wait_for()
        assert shot(page, "spark-master").stat().st_size > 20_000
    # A master that was restarted, as by another test, has forgotten what has finished; the history server has not.
    with Forward("svc/airspark-spark-history", 18080) as forward:
        page.goto(forward.url)
        page.get_by_text("etl_daily.transform").first.wait_for()
