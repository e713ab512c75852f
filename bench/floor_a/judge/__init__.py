"""Reader and judge of lines as they stood when the floor was frozen."""
