"""The Kedro graphs, one folder per stage. Only wiring lives here; the work is done by the domain packages."""
