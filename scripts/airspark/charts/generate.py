"""Write what is generated: values.schema.json, the versions in Chart.yaml, CustomResourceDefinitions, and pages in docs/.

python -m airspark.charts.generate            # write
python -m airspark.charts.generate --check    # exit 1 and name the files that differ
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import yaml

from airspark import quotes, sales_page
from airspark.charts import crds, known
from airspark.charts.airflow import AirflowValues
from airspark.charts.airspark import AirsparkValues
from airspark.charts.common import Values
from airspark.charts.reference import contract_page, reference
from airspark.charts.schema import ignored_keys, refused_keys, schema
from airspark.charts.spark import SparkValues
from airspark.charts.spark_operator import SparkOperatorValues
from airspark.project import ROOT, Failure, versions

CHARTS: dict[str, type[Values]] = {
    "airspark": AirsparkValues,
    "airflow": AirflowValues,
    "spark": SparkValues,
    "spark-operator": SparkOperatorValues,
}

OWN_KEYS = """What is ignored is named in the notes after an installation, with its reason; so are settings of `statsd` and
`triggerer.persistence` while these parts are off here, which the official chart has on. At the top of the file, keys of your own
are taken: those that begin with `x-`, those that a template of the values reads as `.Values.<key>`, and any other that does not
look like a key of the chart (the notes name it, because nothing reads it). One that looks like a key, such as `schedulr`, is
refused with the closest name. Below the top, an unknown key is always refused. `make import-values` rewrites a whole file:
[from the official chart](from-official-chart.md), where the deliberate differences stand too."""


def chart_yaml(text: str, version: str, kubernetes: str) -> str:
    """Return a Chart.yaml with its own and its dependencies' versions set.

    Args:
        text: the file as it is.
        version: the version of the product, which is every chart's.
        kubernetes: the oldest minor version of Kubernetes that the charts run on.
    """
    text = re.sub(r"^kubeVersion: .*$", f'kubeVersion: ">={kubernetes}.0-0"', text, flags=re.MULTILINE)
    text = re.sub(r"^([ \t]*)version: .*$", rf"\g<1>version: {version}", text, flags=re.MULTILINE)
    return re.sub(r"^appVersion: .*$", f'appVersion: "{version}"', text, flags=re.MULTILINE)


def generated() -> dict[Path, str]:
    """Return the text of every generated file by its path."""
    files: dict[Path, str] = {}
    schemas = {name: schema(model, (ROOT / "charts" / name).resolve()) for name, model in CHARTS.items()}
    for name, described in schemas.items():
        chart = (ROOT / "charts" / name).resolve()
        files[chart / "values.schema.json"] = json.dumps(described, indent=2, ensure_ascii=False) + "\n"
        files[ROOT / f"docs/reference/{name}-values.md"] = reference(chart, described)
        path = chart / "Chart.yaml"
        files[path] = chart_yaml(path.read_text(), versions()["AIRSPARK_VERSION"], versions()["KUBERNETES_OLDEST"])
    files |= crds.files() | known.files(ROOT / "charts", schemas)
    airflow = (ROOT / "charts/airflow").resolve()
    # The scheduler runs in an image that may be the user's own, so the chart brings the controller's table along.
    files[airflow / "files/scripts/pod_policy.py"] = (ROOT / "operator/airspark_operator/policy.py").read_text()
    files[ROOT / "docs/values-contract.md"] = contract_page(
        _tests("contract"), refused_keys(airflow) | ignored_keys(airflow), note=OWN_KEYS
    )
    files[ROOT / "docs/spark-values-contract.md"] = contract_page(
        _tests("spark-contract"),
        refused_keys((ROOT / "charts/spark").resolve()),
        "The Bitnami Spark chart's values, key by key",
        _tests("spark-environment"),
    )
    return files | sales_page.files() | quotes.files()


def _tests(name: str) -> Any:
    """Return what a YAML file of the charts' tests says."""
    return yaml.safe_load((ROOT / f"tests/charts/{name}.yaml").read_text())


def main(arguments: list[str]) -> int:
    """Write or compare, and return the exit code."""
    try:
        files = generated()
    except Failure as failure:
        print(f"✗ {failure}", file=sys.stderr)
        return 1
    changed = [path for path, text in files.items() if not path.is_file() or path.read_text() != text]
    names = ", ".join(str(path.relative_to(ROOT)) for path in changed)
    if "--check" in arguments:
        if changed:
            print(f"✗ not as generated: {names}; run: python -m airspark.charts.generate", file=sys.stderr)
        return 1 if changed else 0
    for path in changed:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(files[path])
    print(f"✓ wrote {names}" if changed else "✓ nothing to write")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
