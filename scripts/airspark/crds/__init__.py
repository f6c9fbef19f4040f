"""The CustomResourceDefinitions of SparkApplications and ScheduledSparkApplications, as data."""
