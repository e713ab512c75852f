"""Reliable ingestion of support records: manifests to Bronze by dlt, Silver by dbt, and the proof of both."""

__version__ = "0.1.0"
