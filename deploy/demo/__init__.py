"""The demo: a real model's streams, timed by the clients and by the kernel, side by side."""
