"""The report: one page with tables and plots out of the results of a run."""
