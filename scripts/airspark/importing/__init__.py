"""From a values file of the official Airflow chart to one of charts/airspark."""
