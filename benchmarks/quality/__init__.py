"""Quality: how good the answers are on tables, beside boosted trees, on splits kept for it."""
