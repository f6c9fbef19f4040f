"""Values files: read, checked against schema and charts before anything is built, and translated from the official chart's."""
