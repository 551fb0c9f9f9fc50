/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What the summary is measured against: every SSL_read's bytes go to user space, as TLS tracers do it. */
#include "portable.h"

#define DATA_BYTES 4096
#define THREADS 1024
#define RING_BYTES 8388608 /* as large as the exporter's */

struct reading {
	u64 ssl;
	u64 buf;
	u64 length_at; /* 0: the function returns the length */
};

struct chunk {
	u64 at_ns;
	u64 ssl;
	u32 tgid;
	u32 len;
	u8 data[DATA_BYTES];
};

M_HASH(readings, u64, struct reading, THREADS);
M_MAP(BPF_MAP_TYPE_PERCPU_ARRAY, drafts, u32, struct chunk, 1, 0);
M_ARRAY(lost, u64, 1);
M_RING(events, RING_BYTES);

static __always_inline int enter(struct pt_regs *ctx, u64 length_at) {
	u64 thread = bpf_get_current_pid_tgid();
	struct reading r = {ctx->di, ctx->si, length_at};
	m_update(readings, &thread, &r);
	return 0;
}

PROBE(ship_plain_enter) {
	return enter(ctx, 0);
}

PROBE(ship_length_enter) {
	return enter(ctx, ctx->cx);
}

RETURN(ship_return) {
	u64 thread = bpf_get_current_pid_tgid(), len = (s32)ctx->ax;
	u32 none = 0;
	struct reading *open = m_lookup(readings, &thread);
	struct chunk *c = m_lookup(drafts, &none);
	if (!open || !c)
		return 0;
	struct reading r = *open;
	m_delete(readings, &thread);
	if ((s32)ctx->ax <= 0 || (r.length_at && bpf_probe_read_user(&len, 8, (void *)r.length_at)))
		return 0;
	if (len > DATA_BYTES)
		len = DATA_BYTES;
	c->at_ns = bpf_ktime_get_ns();
	c->ssl = r.ssl;
	c->tgid = thread >> 32;
	c->len = len;
	asm volatile("%0 &= 8191" : "+r"(len)); /* a bound the compiler cannot fold away */
	if (len > DATA_BYTES || bpf_probe_read_user(c->data, len, (void *)r.buf))
		return 0;
	if (m_output(events, c, offsetof(struct chunk, data) + len, 0)) {
		u64 *n = m_lookup(lost, &none);
		if (n)
			__sync_fetch_and_add(n, 1);
	}
	return 0;
}

LICENSE
