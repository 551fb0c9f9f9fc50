/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Registers of x86-64, as a uprobe sees them. */
#ifndef LLMSLO_PTRACE_H
#define LLMSLO_PTRACE_H
#include <linux/types.h>
#ifndef __x86_64__
#error "pt_regs is written for x86-64: add the architecture here and in portable.h"
#endif
struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di;
	unsigned long orig_ax, ip, cs, flags, sp, ss;
};
#endif
