"""The llmslo exporter: every LLM exchange of a node, seen in the kernel, as Prometheus metrics."""
