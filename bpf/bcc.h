/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Takes portable.h's place in BCC's build. loaders/bcc.py has rewritten the m_*() calls by then. */
#include <uapi/linux/ptrace.h>
#define M_HASH(n, K, V, N) BPF_TABLE("hash", K, V, n, N)
#define M_HASH_LAZY(n, K, V, N) BPF_F_TABLE("hash", K, V, n, N, 1)
#define M_LRU(n, K, V, N) BPF_TABLE("lru_hash", K, V, n, N)
#define M_ARRAY(n, V, N) BPF_TABLE("array", u32, V, n, N)
#define M_RING(n, BYTES) BPF_RINGBUF_OUTPUT(n, RING_PAGES)
#define M_JUMPS(n) BPF_PROG_ARRAY(n, 1)
#define READ_REGISTER(to, regs, name) bpf_probe_read_kernel(&to, sizeof(to), &(regs)->name)
#define SUBPROGRAM static __always_inline /* BCC has no calls between functions */
/* Inlined, the verifier walks on once for every way out of a loop: four times the work. So whole blocks are scanned. */
#define PAST(at, len) 0
#define CLEAR(block, size) __builtin_memset(block, 0, size)
#define HAS_WINDOW 0 /* bytes that were copied are scanned where they stand: not here, where whole blocks are cleared and scanned */
#define PROBE(name) int name(struct pt_regs *ctx)
#define RETURN(name) int name(struct pt_regs *ctx)
struct raw_args {
	u64 args[6];
};
#define RAW(event, name) int name(struct raw_args *ctx)
#define LICENSE
#ifdef LLMSLO_BOUNDED
/* Before Linux 6.9: the verifier walks every turn, some ten thousand instructions of the million it grants a program.
 * With 33 jumps the scan goes 66 KB into a call. */
#define TURNS 32
#define REPEAT _Pragma("clang loop unroll(disable)") for (u32 turn = 0; turn < TURNS; turn++)
#else
/* may_goto (Linux 6.9): a loop that the verifier need not unroll, without a function pointer. The bytes are the
 * instruction's, for assemblers that do not know it: opcode 0xe5, the jump's distance in its offset. */
#define CAN_LOOP                                                                                                       \
	({                                                                                                             \
		__label__ stop, go;                                                                                    \
		bool can = 1;                                                                                          \
		asm volatile goto("1:.byte 0xe5; .byte 0; .long (((%l[stop] - 1b) - 8) / 8) & 0xffff; .short 0" ::::stop); \
		goto go;                                                                                               \
	stop:                                                                                                          \
		can = 0;                                                                                               \
	go:                                                                                                            \
		can;                                                                                                   \
	})
#define REPEAT while (CAN_LOOP)
#endif
