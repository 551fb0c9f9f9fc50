/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Sockets: plaintext HTTP of any process, and who closed, for TLS as well. The two length tracepoints run after the
 * copy, in the caller's context, with the exact result, and cost a read of a file or pipe nothing. State is keyed by the
 * socket's address and dropped when the socket changes state, so no descriptor is followed and none can be stale. */
#ifndef LLMSLO_SOCKET_H
#define LLMSLO_SOCKET_H

#define ECONNRESET 104
#define EPIPE 32
#define EAGAIN 11
#define EINTR 4
#define ETIMEDOUT 110
#define EHOSTUNREACH 113
#define ENETUNREACH 101
#define MSG_PEEK 2
#define AF_INET 2
#define AF_INET6 10
#define USER_CS32 0x23 /* a 32-bit process numbers its system calls differently */

/* x86-64 system calls that move bytes between a socket and a user buffer. */
#define NR_READ 0
#define NR_WRITE 1
#define NR_READV 19
#define NR_WRITEV 20
#define NR_SENDTO 44
#define NR_RECVFROM 45
#define NR_SENDMSG 46
#define NR_RECVMSG 47
#define NR_SHUTDOWN 48
#define SHUT_WR 1

#define TCP_ESTABLISHED 1
#define TCP_FIN_WAIT1 4
#define TCP_CLOSE 7
#define TCP_LAST_ACK 9

/* The system call the current task is in. Single fields: the whole of pt_regs would take a third of the stack. */
struct syscall {
	u64 number, second, third;
};

static __always_inline int current_syscall(struct syscall *call) {
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs((void *)bpf_get_current_task_btf());
	u16 segment = 0;
	READ_REGISTER(segment, regs, cs);
	READ_REGISTER(call->number, regs, orig_ax);
	READ_REGISTER(call->second, regs, si);
	READ_REGISTER(call->third, regs, dx);
	return segment == USER_CS32;
}

/* Put the buffer of the current system call into the cursor: its first iovec, and where the next ones are. */
static __always_inline int find_buffer(struct cursor *c, u64 n) {
	struct syscall call = {};
	if (current_syscall(&call))
		return 0;
	u64 iov = call.second, iovs = call.third;
	switch (call.number) {
	case NR_READ:
	case NR_WRITE:
	case NR_SENDTO:
	case NR_RECVFROM:
		c->base = iov;
		c->len = n;
		return 1;
	case NR_SENDMSG:
	case NR_RECVMSG: /* struct msghdr: msg_iov at 16, msg_iovlen at 24 */
		if (bpf_probe_read_user(&iov, 8, (void *)(call.second + 16)) ||
		    bpf_probe_read_user(&iovs, 8, (void *)(call.second + 24)))
			return 0;
		break;
	case NR_READV:
	case NR_WRITEV:
		break;
	default:
		return 0;
	}
	/* Skip empty iovecs at the front, so that the request line is looked for where it is. */
	c->iov = iov;
	c->iovs = iovs < IOVECS ? iovs : IOVECS;
#pragma unroll
	for (int i = 0; i < 4; i++) {
		struct {
			u64 base, len;
		} v = {};
		if (c->len || !c->iovs)
			break;
		if (bpf_probe_read_user(&v, sizeof(v), (void *)c->iov))
			return 0;
		c->iov += sizeof(v);
		c->iovs--;
		c->base = v.base;
		c->len = v.len < n ? v.len : n;
	}
	c->budget = n - c->len;
	return c->len > 0;
}

static __always_inline u8 closer_of(s64 result) {
	if (result == 0 || result == -ECONNRESET || result == -EPIPE)
		return CLOSER_PEER;
	if (result == -ETIMEDOUT || result == -EHOSTUNREACH || result == -ENETUNREACH)
		return CLOSER_NETWORK;
	return CLOSER_NONE;
}

/* The exchange on a socket, whichever way it is keyed. */
static __always_inline struct exchange *exchange_on(u64 sock, struct stream_key *key) {
	struct stream_key *of = m_lookup(sockets, &sock);
	if (of) {
		*key = *of;
	} else {
		key->ptr = sock;
		key->owner = 0;
	}
	struct stream_key k = *key;
	return m_lookup(exchanges, &k);
}

static __always_inline void note_closer(u64 sock, u8 closer) {
	if (!closer || !is_hot_socket(sock))
		return;
	struct stream_key key = {};
	struct exchange *x = exchange_on(sock, &key);
	if (x && !x->closer && !(x->dead && closer == CLOSER_NETWORK))
		x->closer = closer;
}

/* A probe that is removed in the middle of a call never sees its end. Who is left out is in no call that counts: what its
 * thread moves is to be looked at. */
static __always_inline int is_left_inside(u32 tgid, struct thread *t) {
	u32 *absence = m_lookup(left_out, &tgid);
	if (!absence || *absence != ABSENCE_DONE)
		return 0;
	t->ssl = 0;
	return 1;
}

/* Join TLS streams and sockets by what one thread does: inside an OpenSSL call, or right before or after it. Returns
 * whether it is inside one: the bytes are TLS records then. */
static __always_inline int watch_thread(u64 sock, u32 outgoing) {
	u64 id = bpf_get_current_pid_tgid();
	u32 at = (u32)id & (HOT_TASKS - 1);
	u32 *busy = m_lookup(hot_calls, &at);
	if (!(busy && *busy) && !is_hot_task(id >> 32))
		return 0;
	struct thread *t = m_lookup(threads, &id);
	if (!t)
		return 0;
	if (t->ssl) {
		if (!is_left_inside(id >> 32, t)) {
			t->sock = sock;
			return 1;
		}
		if (busy && *busy)
			__sync_fetch_and_add(busy, -1);
	}
	if (!outgoing) {
		t->received = sock;
	} else if (t->written.ptr) {
		struct stream_key key = t->written;
		t->written.ptr = 0;
		struct exchange *x = m_lookup(exchanges, &key);
		if (x)
			join_socket(x, &key, sock);
	}
	return 0;
}

/* End an exchange whose socket is dead, now that this side met the end: a failed call, or a send into the void. A
 * client that cannot send may still find its answer queued. */
static __always_inline void bury(u64 sock, u32 outgoing) {
	if (!is_hot_socket(sock))
		return;
	struct stream_key key = {};
	struct exchange *x = exchange_on(sock, &key);
	if (x && x->dead && !key.owner && !(outgoing && x->role == ROLE_CLIENT))
		finish(x, &key, bpf_ktime_get_ns(), END_CLOSED, CLOSER_PEER);
}

/* Sockets that carry TLS records, or HTTP/2: nothing that we read begins there any more, and to look at each call's bytes
 * for it takes longer than all else here (95 ns for a byte of user memory, on a VM). So whoever is left out, or speaks TLS
 * by a library we do not know, pays for a lookup. */
#define RECORDS_SURE 32 /* a handshake shows up to a dozen; after it the kernel may do the TLS, and the calls are plain */
#define DATA_RECORD 0x17
#define RECORD_HEADER 5

static __always_inline u64 *encrypted_at(u64 sock) {
	u32 at = (sock >> 6) & (ENCRYPTED - 1);
	return m_lookup(encrypted, &at);
}

static __always_inline int is_encrypted(u64 sock) {
	u64 *e = encrypted_at(sock);
	return e && *e == (sock | RECORDS_SURE);
}

/* The address is about to name another connection. */
static __always_inline void forget_encrypted(u64 sock) {
	u64 *e = encrypted_at(sock);
	if (e && (*e & ~63ULL) == sock)
		*e = 0;
}

/* Is this a record of TLS data and nothing else: its header alone, as OpenSSL reads it, or the whole of it? */
static __always_inline int is_record(u64 word, u64 n) {
	u64 behind = ((word >> 24) & 255) << 8 | ((word >> 32) & 255);
	return (word & 0xffff) == (DATA_RECORD | 3 << 8) && ((word >> 16) & 255) <= 4 &&
	       (n == RECORD_HEADER || n == behind + RECORD_HEADER);
}

static __always_inline void note_record(u64 sock, u64 records) {
	u64 *e = encrypted_at(sock);
	if (!e || (sock & 63))
		return;
	if ((*e & ~63ULL) != sock)
		*e = sock;
	records += *e & 63;
	*e = sock | (records < RECORDS_SURE ? records : RECORDS_SURE);
}

/* Could an exchange begin with these bytes? A function of its own: on Linux 6.1 its variables would not fit on the stack. */
SUBPROGRAM int may_begin(u64 sock, u64 base, u64 len, u64 n) {
	u64 word = 0, first = len < 8 ? len : 8;
	u16 family = 0;
	BOUND(first, 15);
	if (first > 8 || bpf_probe_read_user(&word, first, (void *)base))
		return 0;
	u32 is_data = is_record(word, n);
	u8 byte = word;
	if (!is_data && byte != 'P' && byte != 'G' && byte != '\r' && !(byte >= '0' && byte <= '9') && !(byte >= 'a' && byte <= 'f'))
		return 0;
	bpf_probe_read_kernel(&family, 2, (void *)(sock + 16));
	if (family != AF_INET && family != AF_INET6)
		return 0;
	if (is_data || word == PREFACE)
		note_record(sock, is_data ? 1 : RECORDS_SURE);
	return !is_data;
}

static __always_inline int moved(void *ctx, u64 sock, s64 result, u32 outgoing) {
	if (result == -EAGAIN)
		return 0;
	if (result <= 0) {
		if (!(outgoing && result == 0))
			note_closer(sock, closer_of(result));
		bury(sock, outgoing);
		return 0;
	}
	if (watch_thread(sock, outgoing) || is_encrypted(sock))
		return 0;
	struct cursor c = {};
	struct stream_key key = {};
	key.ptr = sock;
	if (!find_buffer(&c, result)) {
		if (is_hot_socket(sock)) {
			if (m_lookup(exchanges, &key))
				count(LOSS_UNREADABLE, 1);
		}
		return 0;
	}
	if (!is_hot_socket(sock) && !may_begin(sock, c.base, c.len, result)) /* nothing open here: only a request can begin */
		return 0;
	c.now = bpf_ktime_get_ns();
	deliver(ctx, &key, &c, result, sock, outgoing, TRANSPORT_SOCKET);
	if (outgoing)
		bury(sock, outgoing);
	return 0;
}

#ifdef LLMSLO_BCC
RAW(sock_send_length, socket_more) {
	struct work w = {};
	if (resume(ctx, &w, TRANSPORT_SOCKET) && w.outgoing)
		bury(w.sock, w.outgoing);
	return 0;
}
#endif

RAW(sock_send_length, socket_sent) {
	return moved(ctx, ctx->args[0], (s32)ctx->args[1], 1);
}

RAW(sock_recv_length, socket_received) {
	if (ctx->args[2] & MSG_PEEK)
		return 0;
	return moved(ctx, ctx->args[0], (s32)ctx->args[1], 0);
}

/* A reset arrived: in the trace before the state changes. */
RAW(tcp_receive_reset, socket_reset) {
	note_closer(ctx->args[0], CLOSER_PEER);
	return 0;
}

/* The kernel gave up on the peer (ETIMEDOUT and its kin). Raised after a reset too: that one came first; and by our own
 * close with SO_LINGER 0, but then the socket is dead already. */
RAW(inet_sk_error_report, socket_failed) {
	note_closer(ctx->args[0], CLOSER_NETWORK);
	return 0;
}

/* The socket closes. FIN_WAIT1 also follows shutdown(SHUT_WR), after which the answer may still come. CLOSE follows a
 * reset or a time-out as well: what is queued can still be read, and on one machine the reset arrives inside the very
 * send that provoked it; so the exchange goes on until this side meets the end itself. */
RAW(inet_sock_set_state, socket_state) {
	u64 sock = ctx->args[0];
	u32 state = ctx->args[2];
	forget_encrypted(sock);
	if (state != TCP_CLOSE && state != TCP_FIN_WAIT1 && state != TCP_LAST_ACK)
		return 0;
	if (!is_hot_socket(sock))
		return 0;
	if (state == TCP_FIN_WAIT1) {
		struct syscall call = {};
		if (!current_syscall(&call) && call.number == NR_SHUTDOWN && call.second == SHUT_WR)
			return 0;
	}
	struct stream_key key = {};
	struct exchange *x = exchange_on(sock, &key);
	if (!x)
		return 0;
	if (state == TCP_CLOSE)
		x->dead = 1;
	else
		finish(x, &key, bpf_ktime_get_ns(), END_CLOSED, CLOSER_THIS);
	return 0;
}

/* The owner has closed the socket, and it is in no state any more. */
RAW(tcp_destroy_sock, socket_gone) {
	u64 sock = ctx->args[0];
	forget_encrypted(sock);
	if (!is_hot_socket(sock))
		return 0;
	struct stream_key key = {};
	struct exchange *x = exchange_on(sock, &key);
	if (x)
		finish(x, &key, bpf_ktime_get_ns(), END_CLOSED, CLOSER_THIS);
	return 0;
}
#endif
