"""Words counted with an RDD: lazy transformations, their lineage, and the action that runs them.

The task's log shows the lineage and that no line was looked at before the action.

    airflow dags trigger rdd_wordcount --conf '{"text": "to be or not to be"}'
"""

from __future__ import annotations

from airflow.sdk import DAG, Param
from pipelines import spark
from pipelines.defaults import DEFAULT_ARGS, OUTPUT, due_within

TEXT = "An RDD is a recipe. A transformation adds a step to the recipe. An action cooks. Nothing is cooked before the action."

with DAG(
    dag_id="rdd_wordcount",
    description="Words counted with an RDD, and its lineage",
    doc_md=__doc__,
    schedule=None,
    catchup=False,
    # With no schedule it runs only when it is asked to, and then it must not wait for somebody to switch it on.
    is_paused_upon_creation=False,
    deadline=due_within(hours=1),
    default_args=DEFAULT_ARGS,
    params={
        "text": Param(TEXT, type="string", minLength=1, maxLength=100_000, description="The text"),
        "name": Param("demo", type="string", pattern=r"^[\w.-]{1,80}$", description="The result's name"),
    },
    tags=["spark", "rdd"],
) as dag:
    # START operator
    spark.submit(
        "count",
        "wordcount",
        # One argument with its name, because a text may begin with a dash.
        ["--text={{ params.text }}", "--name={{ params.name }}", "--output", OUTPUT],
    )
    # END operator
