"""`make import-values` knows every option that Airflow renamed or removed, and puts none where Airflow does not read it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from airflow.cli.commands.config_command import CONFIGS_CHANGES
from airflow.configuration import conf
from airflow.providers_manager import ProvidersManager

sys.path.append(str(Path(__file__).resolve().parents[2] / "scripts"))

from airspark.importing.options import OPTIONS, REMOVED, STALE, gone, moved, stale

#: Airflow takes it for a file of logging settings, which a file of requests is not.
NOT_THE_SAME = {"webserver.access_logfile", "api.access_logfile"}
#: Sections of providers that the image need not have.
ELSEWHERE = ("celery.", "fab.", "kubernetes_executor.", "elasticsearch.")


@pytest.fixture(scope="module", name="known")
def _known() -> set[str]:
    """Every option that Airflow and its providers describe."""
    ProvidersManager().initialize_providers_configuration()
    described = conf.configuration_description
    return {f"{section}.{option}" for section, parts in described.items() for option in parts.get("options", {})}


def renamed() -> Iterator[tuple[str, str]]:
    """Yield each option that Airflow says to have another name, and that name."""
    for change in CONFIGS_CHANGES:
        if change.renamed_to:
            yield f"{change.config.section}.{change.config.option}", f"{change.renamed_to.section}.{change.renamed_to.option}"
    for (section, option), (old, before, _) in conf.deprecated_options.items():
        yield f"{old}.{before}", f"{section}.{option}"


def last(option: str) -> str:
    """Return the name at the end of a chain of Airflow's renames."""
    names = dict(renamed())
    while option in names:
        option = names[option]
    return option


@pytest.mark.parametrize("old", sorted({old for old, _ in renamed()} - NOT_THE_SAME))
def test_should_follow_airflow_if_it_renamed_an_option(old: str, known: set[str]) -> None:
    new = last(old)
    if new in known or new.startswith(ELSEWHERE):
        assert moved(old) == new or (new.startswith("celery.") and gone(old))
    else:
        assert gone(old), f"{old} is {new}, which Airflow does not describe"


def test_should_drop_each_option_that_airflow_removed() -> None:
    removed = [change for change in CONFIGS_CHANGES if change.was_removed and not change.renamed_to and not change.default_change]
    assert removed
    for change in removed:
        option = f"{change.config.section}.{change.config.option}"
        if change.remove_if_equals is not None:
            assert stale(option, change.remove_if_equals), option
        elif change.is_invalid_if is None:
            assert gone(option), option


def test_should_put_options_only_where_airflow_reads_them(known: set[str]) -> None:
    assert {new for new in OPTIONS.values() if new not in known and not new.startswith(ELSEWHERE) and not gone(new)} == set()
    assert {old for old in OPTIONS if old in known} == set()


def test_should_drop_no_option_that_airflow_reads(known: set[str]) -> None:
    assert set(REMOVED) & known == set()
    assert {option for option in STALE if option in known} >= {"logging.log_filename_template"}
