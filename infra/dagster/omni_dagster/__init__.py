"""The loader's days as Dagster's partitions. Everything is done by the loader's command, and read from its JSON."""
