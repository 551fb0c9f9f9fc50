/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* BCC includes this before all else; its helpers.h asks for the first. */
#define CONFIG_BPF_SYSCALL 1
#define CONFIG_PERF_EVENTS 1
