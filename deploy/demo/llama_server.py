"""A real model server with the OpenAI API on loopback: MODEL.gguf PORT."""

from __future__ import annotations

import signal
import sys

import xllamacpp

THREADS = 1  # llama.cpp's threads spin at barriers: with two on two cores every other process starves it
SLOTS = 2  # so that concurrent clients share the model instead of queueing
CONTEXT_TOKENS = 2048


def main() -> None:
    model, port = sys.argv[1:]
    params = xllamacpp.CommonParams()
    params.model.path = model
    params.hostnames = ["127.0.0.1"]
    params.port = int(port)
    params.cpuparams.n_threads = THREADS
    params.n_parallel = SLOTS
    params.n_ctx = CONTEXT_TOKENS
    params.endpoint_metrics = True
    params.warmup = True
    server = xllamacpp.Server(params)  # serves until the object goes
    print("listening on", server.listening_address, flush=True)
    signal.pause()


if __name__ == "__main__":
    main()
