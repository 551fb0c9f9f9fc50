/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* One source, two builds. clang -target bpf includes this file; for BCC, loaders/bcc.py puts bcc.h in its place and
 * rewrites the m_*() calls, because BCC refuses map operations that come out of a macro.
 * Only ABI that does not change is used (pt_regs, helper numbers): no vmlinux.h. */
#ifndef LLMSLO_PORTABLE_H
#define LLMSLO_PORTABLE_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef signed int s32;
typedef signed long long s64;
typedef u8 __u8;
typedef u16 __u16;
typedef u32 __u32;
typedef u64 __u64;
typedef short __s16;
typedef s32 __s32;
typedef s64 __s64;
typedef u16 __be16;
typedef u32 __be32;
typedef u32 __wsum;

enum { /* UAPI enum bpf_map_type */
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_RINGBUF = 27,
};
#define BPF_F_NO_PREALLOC 1

#ifdef __TARGET_ARCH_x86
struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di;
	unsigned long orig_ax, ip, cs, flags, sp, ss;
};
#else
#error "pt_regs is written for x86-64: add the architecture here and in arch.h"
#endif

#include <bpf/bpf_helpers.h>
#ifndef offsetof
#define offsetof(t, m) __builtin_offsetof(t, m)
#endif

#define M_MAP(kind, n, K, V, N, F)                                                                                     \
	struct {                                                                                                       \
		__uint(type, kind);                                                                                    \
		__type(key, K);                                                                                        \
		__type(value, V);                                                                                      \
		__uint(max_entries, N);                                                                                \
		__uint(map_flags, F);                                                                                  \
	} n SEC(".maps")
#define M_HASH(n, K, V, N) M_MAP(BPF_MAP_TYPE_HASH, n, K, V, N, 0)
#define M_HASH_LAZY(n, K, V, N) M_MAP(BPF_MAP_TYPE_HASH, n, K, V, N, BPF_F_NO_PREALLOC)
#define M_LRU(n, K, V, N) M_MAP(BPF_MAP_TYPE_LRU_HASH, n, K, V, N, 0)
#define M_ARRAY(n, V, N) M_MAP(BPF_MAP_TYPE_ARRAY, n, u32, V, N, 0)
#define M_RING(n, BYTES)                                                                                               \
	struct {                                                                                                       \
		__uint(type, BPF_MAP_TYPE_RINGBUF);                                                                    \
		__uint(max_entries, BYTES);                                                                            \
	} n SEC(".maps")
#define m_lookup(m, k) bpf_map_lookup_elem(&m, k)
#define m_update(m, k, v) bpf_map_update_elem(&m, k, v, 0)
#define m_delete(m, k) bpf_map_delete_elem(&m, k)
#define m_output(m, p, l, f) bpf_ringbuf_output(&m, p, l, f)
#define m_reserve(m, l) bpf_ringbuf_reserve(&m, l, 0)
#define m_submit(m, p, f) bpf_ringbuf_submit(p, f)
/* A register of the current system call, through the kernel's type of the pointer. */
#define READ_REGISTER(to, regs, name) to = (regs)->name
/* A global function: the verifier looks at it once, whatever its callers know. */
#define SUBPROGRAM __attribute__((noinline))
#define PAST(at, len) ((at) >= (len)) /* the words behind are not scanned, */
#define CLEAR(block, size) ((void)0) /* so what stands in them does not matter */
#define HAS_WINDOW 1 /* bytes that were copied are scanned where they stand */
#define PROBE(name) SEC("uprobe") int name(struct pt_regs *ctx)
#define RETURN(name) SEC("uretprobe") int name(struct pt_regs *ctx)
struct raw_args {
	u64 args[6];
};
#define RAW(event, name) SEC("raw_tp/" #event) int name(struct raw_args *ctx)
#define LICENSE char _license[] SEC("license") = "GPL";
#endif
