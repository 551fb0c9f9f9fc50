"""SLOs written in the formats of others, and in ours."""
