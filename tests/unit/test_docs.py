"""Tables of the documentation that say where something is: held against the DAGs and the images."""

from __future__ import annotations

import re

import pytest

from airspark.project import ROOT

#: The layers that each image is built on, and the files that say what a layer adds.
LAYERS = {
    "spark": ("base", "spark"),
    "airflow": ("base", "spark", "airflow"),
    "airflow-cloud": ("base", "spark", "airflow", "cloud"),
    "postgres": ("base", "postgres"),
    "operator": ("base", "operator"),
}
FILES = {
    "base": ("base/Dockerfile",),
    "spark": ("spark/Dockerfile", "spark/requirements.txt", "spark/jars.lock"),
    "airflow": ("airflow/requirements.txt", "airflow/Dockerfile"),
    "cloud": ("airflow/cloud.txt",),
    "postgres": ("postgres/Dockerfile",),
    "operator": ("operator/requirements.txt",),
}
#: What each client of the table, by a part of its name, stands for in these files.
EVIDENCE = {
    "`python`": ('"python${PYTHON_VERSION}" python3',),
    "`java`": ("COPY --from=java /java",),
    "`spark-submit`": ("\npyspark==", "images/spark/submit/"),
    "pandas": ("\npandas==", "\nnumpy==", "\npyarrow=="),
    "`s3a://`": ("hadoop-aws",),
    "Delta Lake": ("delta-spark",),
    "JDBC": ("org.postgresql:postgresql:",),
    "psycopg": ("\npsycopg2-binary==", "\npsycopg=="),
    "`psql`": ('"postgresql-${POSTGRES_VERSION}"',),
    "boto3": ("\nboto3==",),
    "Google": ("\ngoogle-cloud-storage==", "\nazure-storage-blob=="),
    "OpenSearch": ("\nopensearch-py==", "\nelasticsearch=="),
    "HTTP": ("\nrequests==", "\nhttpx=="),
    "Kubernetes": ("\nkubernetes==",),
    "`git`": (" git openssh-client",),
}


def table(page: str, heading: str) -> list[list[str]]:
    """The rows below the head of the first table of a section, as cells."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8").partition(f"## {heading}\n")[2]
    lines = text[text.index("\n|") :].strip().splitlines()
    rows = [line for line in lines[: next((n for n, line in enumerate(lines) if not line.startswith("|")), None)]]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in (rows[0], *rows[2:])]


def holds(image: str, words: tuple[str, ...]) -> bool:
    """Whether all of some words are in what an image is built of."""
    text = "".join("\n" + (ROOT / "images" / file).read_text() for layer in LAYERS[image] for file in FILES[layer])
    return all(word in text for word in words)


HEAD, *CLIENTS = table("dependencies.md", "Which image has which client")


@pytest.mark.parametrize("row", CLIENTS, ids=lambda row: re.sub(r"\W+", "-", row[0]))
def test_should_say_which_image_has_a_client(row: list[str]) -> None:
    (words,) = [words for name, words in EVIDENCE.items() if name in row[0]]
    images = [name.strip("`").removeprefix("airspark/") for name in HEAD[1:]]
    assert images == list(LAYERS)
    assert {image: "yes" if holds(image, words) else "" for image in images} == dict(zip(images, row[1:], strict=True))


def test_should_list_no_client_that_an_image_has_among_those_that_none_has() -> None:
    text = "".join(path.read_text() for name in ("base", "spark", "airflow", "postgres", "operator")
                   for path in (ROOT / "images" / name).glob("Dockerfile"))  # fmt: skip
    assert not re.search(r"install[^&]* (kubectl|curl|wget|awscli)\b", text)


def test_should_say_where_the_data_of_every_dag_lies() -> None:
    rows = table("pipelines.md", "Where the data lies")[1:]
    named = {name: row for row in rows for name in re.findall(r"`(\w+)`", row[0])}
    assert set(named) == {path.stem for path in (ROOT / "dags").glob("*.py")}
    shared = "".join(path.read_text() for path in (ROOT / "dags/pipelines").glob("*.py"))
    for name, row in named.items():
        text = (ROOT / f"dags/{name}.py").read_text()
        text += "".join((ROOT / f"spark-apps/{app}.py").read_text() for app in re.findall(r'"(\w+)"', text)
                        if (ROOT / f"spark-apps/{app}.py").exists())  # fmt: skip
        for folder in re.findall(r"`(?:data|output)/(\w+)", row[1] + row[2]):
            assert folder in text or folder in shared, f"{name}: nothing names the folder {folder}"
        for part in re.findall(r"with ((?:`\w+`(?:, )?)+)", row[2]):
            for one in re.findall(r"\w+", part):
                assert f'"{one}"' in text, f"{name}: nothing writes {one}"
