"""Values, nodes and the application of an op; no mathematics lives here."""
