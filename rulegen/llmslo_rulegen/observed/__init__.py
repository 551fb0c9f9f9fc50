"""Calls as the metrics of a source would have counted them: by which labels, good or bad for which SLI."""
