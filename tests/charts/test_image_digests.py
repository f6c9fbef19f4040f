"""Images by digest: a tag that moved in a registry brings nobody another image."""

from __future__ import annotations

import pytest
from batches import values
from rendering import text

DIGEST = f"0.1.0@sha256:{'a' * 64}"
#: What makes the part of an image, by the image's path.
ON = {
    "images.statsd": {"statsd.enabled": True},
    "images.pgbouncer": {"pgbouncer.enabled": True},
    "connect.proxy.image": {"connect.enabled": True},
}


@pytest.mark.parametrize(
    ("chart", "path"),
    [
        *(("airflow", f"images.{name}") for name in ("airflow", "pod_template", "statsd", "pgbouncer")),
        *(("airflow", "postgresql.image"), ("spark", "image"), ("spark", "connect.proxy.image"), ("spark-operator", "image")),
    ],
)
def should_take_a_tag_with_a_digest_for_every_image(chart: str, path: str) -> None:
    given = {**ON.get(path, {}), f"{path}.repository": "registry.example/one", f"{path}.tag": DIGEST}
    assert f"image: registry.example/one:{DIGEST}" in text(values(given), chart=chart)
