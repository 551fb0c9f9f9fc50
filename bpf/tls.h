/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* OpenSSL. A stream is keyed by (process, SSL *): asyncio moves the bytes of an SSL outside of its calls, so no socket
 * is known there. Data counts at a call's return and with its exact length: OpenSSL asks callers to repeat a write it
 * could not finish. The time of a write is that of its entry. */
#ifndef LLMSLO_TLS_H
#define LLMSLO_TLS_H

#define ARG1(c) ((c)->di)
#define ARG2(c) ((c)->si)
#define ARG3(c) ((c)->dx)
#define ARG4(c) ((c)->cx)
#define ARG5(c) ((c)->r8)
#define RESULT(c) ((s32)(c)->ax) /* an int: the upper half of the register is not defined */
#define SSL_CTRL_SET_TLSEXT_HOSTNAME 55
#define SSL_ERROR_ZERO_RETURN 6

static __always_inline int enter_call(struct pt_regs *ctx, u64 outgoing, u64 length_at) {
	u64 id = bpf_get_current_pid_tgid();
	struct thread *k = m_lookup(threads, &id);
	if (!k) { /* the thread's first: its entry stays until the thread ends */
		struct thread fresh = {};
		if (m_update(threads, &id, &fresh)) {
			count(LOSS_CALLS, 1);
			return 0;
		}
		k = m_lookup(threads, &id);
		if (!k)
			return 0;
	}
	u32 is_open = k->ssl != 0; /* it never came back, or two links stand here while a process is moved between them */
	k->ssl = ARG1(ctx);
	k->buf = ARG2(ctx);
	k->length_at = length_at;
	k->outgoing = outgoing;
	k->sock = 0;
	k->enter_ns = bpf_ktime_get_ns();
	count_call(id >> 32);
	if (is_open)
		return 0;
	u32 at = (u32)id & (HOT_TASKS - 1);
	u32 *n = m_lookup(hot_calls, &at);
	if (n)
		__sync_fetch_and_add(n, 1);
	return 0;
}

/* Take the call that returns; its length, or 0 where it moved nothing. */
static __always_inline u64 leave_call(struct pt_regs *ctx, struct thread *k) {
	u64 id = bpf_get_current_pid_tgid(), n = 0;
	struct thread *open = m_lookup(threads, &id);
	s32 rc = RESULT(ctx);
	if (!open || !open->ssl)
		return 0;
	*k = *open;
	open->ssl = 0;
	u32 at = (u32)id & (HOT_TASKS - 1);
	u32 *hot = m_lookup(hot_calls, &at);
	if (hot && *hot)
		__sync_fetch_and_add(hot, -1);
	if (rc <= 0) {
		open->failed_ssl = k->ssl;
		return 0;
	}
	if (!k->length_at)
		return rc;
	if (bpf_probe_read_user(&n, 8, (void *)k->length_at))
		count(LOSS_COPY, 1);
	return n;
}

/* The thread ends, maybe in the middle of a call. */
static __always_inline void leave_for_good(u64 id) {
	struct thread *k = m_lookup(threads, &id);
	if (!k)
		return;
	u32 at = (u32)id & (HOT_TASKS - 1);
	u32 *hot = m_lookup(hot_calls, &at);
	if (k->ssl && hot && *hot)
		__sync_fetch_and_add(hot, -1);
	m_delete(threads, &id);
}

/* End an exchange whose socket is dead, after a send into the void. */
static __always_inline void bury_stream(struct stream_key *key) {
	struct exchange *x = m_lookup(exchanges, key);
	if (x && x->dead && x->role == ROLE_SERVER) /* a client may still find its answer queued */
		finish(x, key, bpf_ktime_get_ns(), END_CLOSED, CLOSER_PEER);
}

/* After the bytes, which may have begun the exchange. */
static __always_inline void after_data(struct stream_key *key, u64 sock, u32 outgoing) {
	if (outgoing && is_hot_task(key->owner))
		bury_stream(key);
}

/* Reads and writes return here: the verifier takes longer over this than over all others together. */
RETURN(tls_data_return) {
	struct thread k = {};
	struct cursor c = {};
	struct stream_key key = {};
	u64 n = leave_call(ctx, &k);
	u32 outgoing = k.outgoing;
	key.ptr = k.ssl;
	key.owner = bpf_get_current_pid_tgid() >> 32;
	if (!n) {
		if (outgoing && is_hot_task(key.owner))
			bury_stream(&key);
		return 0;
	}
	c.base = k.buf;
	c.len = n;
	c.now = outgoing ? k.enter_ns : bpf_ktime_get_ns();
	deliver(ctx, &key, &c, n, k.sock, outgoing, TRANSPORT_TLS);
	after_data(&key, k.sock, outgoing);
	return 0;
}

#ifdef LLMSLO_BCC
PROBE(tls_more) {
	struct work w = {};
	if (resume(ctx, &w, TRANSPORT_TLS))
		after_data(&w.key, w.sock, w.outgoing);
	return 0;
}
#endif

PROBE(tls_read_enter) {
	return enter_call(ctx, 0, 0);
}

PROBE(tls_read4_enter) {
	return enter_call(ctx, 0, ARG4(ctx));
}

PROBE(tls_write_enter) {
	return enter_call(ctx, 1, 0);
}

PROBE(tls_write4_enter) {
	return enter_call(ctx, 1, ARG4(ctx));
}

PROBE(tls_write5_enter) {
	return enter_call(ctx, 1, ARG5(ctx));
}

/* The connection ends at this side, unless the peer was seen ending it before. */
static __always_inline int close_stream(u64 ssl) {
	struct stream_key key = {};
	key.ptr = ssl;
	key.owner = bpf_get_current_pid_tgid() >> 32;
	struct exchange *x = m_lookup(exchanges, &key);
	if (x)
		finish(x, &key, bpf_ktime_get_ns(), END_CLOSED, CLOSER_THIS);
	return 0;
}

PROBE(tls_shutdown_enter) {
	return close_stream(ARG1(ctx));
}

PROBE(tls_free_enter) {
	struct stream_key key = {};
	key.ptr = ARG1(ctx);
	key.owner = bpf_get_current_pid_tgid() >> 32;
	struct connection *t = m_lookup(connections, &key);
	if (t) {
		if (t->shake_start_ns && !t->shake_ns && t->sni[0]) {
			struct tls_failed f = {};
			f.kind = RECORD_TLS_FAILED;
			f.tgid = key.owner;
			__builtin_memcpy(f.sni, t->sni, SNI_BYTES);
			if (m_output(events, &f, sizeof(f), 1))
				count(LOSS_RING, 1);
		}
		m_delete(connections, &key);
	}
	return close_stream(ARG1(ctx));
}

/* SSL_read said "no more": was it the peer's close_notify? Only SSL_get_error tells it from "not yet". */
RETURN(tls_get_error_return) {
	u64 id = bpf_get_current_pid_tgid();
	if (RESULT(ctx) != SSL_ERROR_ZERO_RETURN || !is_hot_task(id >> 32))
		return 0;
	struct thread *t = m_lookup(threads, &id);
	if (!t || !t->failed_ssl)
		return 0;
	struct stream_key key = {};
	key.ptr = t->failed_ssl;
	key.owner = id >> 32;
	struct exchange *x = m_lookup(exchanges, &key);
	if (x && !x->closer)
		x->closer = CLOSER_PEER;
	return 0;
}

static __always_inline struct connection *connection_of(struct stream_key *key) {
	u32 none = 0;
	struct stream_key k = *key;
	struct connection *t = m_lookup(connections, &k);
	if (t)
		return t;
	struct zeroes *z = m_lookup(zero, &none);
	if (!z)
		return 0;
	m_update(connections, &k, &z->connection);
	return m_lookup(connections, &k);
}

PROBE(tls_handshake_enter) {
	u64 id = bpf_get_current_pid_tgid(), ssl = ARG1(ctx);
	struct stream_key key = {};
	key.ptr = ssl;
	key.owner = id >> 32;
	meet(key.owner); /* one forked without an exec */
	struct connection *t = connection_of(&key);
	if (!t || t->shake_ns)
		return 0;
	if (!t->shake_start_ns)
		t->shake_start_ns = bpf_ktime_get_ns();
	m_update(shakes, &id, &ssl);
	return 0;
}

RETURN(tls_handshake_return) {
	u64 id = bpf_get_current_pid_tgid();
	u64 *ssl = m_lookup(shakes, &id);
	if (!ssl)
		return 0;
	struct stream_key key = {};
	key.ptr = *ssl;
	key.owner = id >> 32;
	m_delete(shakes, &id);
	if (RESULT(ctx) != 1)
		return 0;
	struct connection *t = m_lookup(connections, &key);
	if (t && !t->shake_ns)
		t->shake_ns = bpf_ktime_get_ns() - t->shake_start_ns;
	return 0;
}

PROBE(tls_ctrl_enter) {
	if ((u32)ARG2(ctx) != SSL_CTRL_SET_TLSEXT_HOSTNAME || !ARG4(ctx))
		return 0;
	struct stream_key key = {};
	key.ptr = ARG1(ctx);
	key.owner = bpf_get_current_pid_tgid() >> 32;
	struct connection *t = connection_of(&key);
	if (t)
		bpf_probe_read_user_str(t->sni, SNI_BYTES, (void *)ARG4(ctx));
	tell_name(key.owner, (void *)ARG4(ctx));
	return 0;
}
#endif
