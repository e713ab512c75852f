"""What may be stored and shown of a record, and how a person is taken out of everything that was."""
