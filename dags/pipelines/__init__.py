"""What the DAGs of this folder share: their day, their defaults, how a failure is told, how a result is verified."""
