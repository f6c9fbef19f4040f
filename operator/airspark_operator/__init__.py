"""The controller of SparkApplications and ScheduledSparkApplications."""
