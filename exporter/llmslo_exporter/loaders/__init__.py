"""The two ways to bring the BPF programs into the kernel, behind one interface."""
