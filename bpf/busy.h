/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Which processes make so many TLS calls that probing them costs: user space leaves out those that never make an LLM
 * call. Only a sample of the calls is counted, so a call pays a random number and a quiet process takes no entry. */
#ifndef LLMSLO_BUSY_H
#define LLMSLO_BUSY_H

#define CALL_SAMPLE 64 /* one call in so many is counted, for all of them */

static __always_inline void count_call(u32 tgid) {
	if (bpf_get_prandom_u32() & (CALL_SAMPLE - 1))
		return;
	u64 *n = m_lookup(tls_calls, &tgid);
	u64 first = CALL_SAMPLE;
	if (n)
		__sync_fetch_and_add(n, CALL_SAMPLE);
	else
		m_update(tls_calls, &tgid, &first);
}

/* Another program, or none: what is known of the last one says nothing of it. */
static __always_inline void forget_calls(u32 tgid) {
	m_delete(tls_calls, &tgid);
	m_delete(left_out, &tgid);
}

/* A process that is left out opens a connection: to a provider's host, it must be let in before it asks. */
static __always_inline void tell_name(u32 tgid, void *name) {
	if (!m_lookup(left_out, &tgid))
		return;
	struct tls_failed t = {};
	t.kind = RECORD_TLS_NAMED;
	t.tgid = tgid;
	bpf_probe_read_user_str(t.sni, SNI_BYTES, name);
	if (m_output(events, &t, sizeof(t), 2)) /* as in meet() */
		count(LOSS_RING, 1);
}
#endif
