"""The process: settings, logging, database and clock; and the files an operator edits."""
