"""The chapters of the report: each is made of the record of a run, and has a template."""
