"""Programs as C: loops, their fusion, the printer, the build, and the call."""
