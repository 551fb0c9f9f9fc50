/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* One state machine per exchange, for both roles and both transports: bytes of a direction go in, instants, counts and
 * bounded texts stay, one record goes out at the end. */
#ifndef LLMSLO_EXCHANGE_H
#define LLMSLO_EXCHANGE_H

#define SHIP_BYTES 1048576 /* of a body that user space must see whole; beyond it the rest is counted (LOSS_PIECES) */
#define IOVECS 1024        /* iovecs followed in one call: the kernel takes no more (UIO_MAXIOV) */
#define REQUEST_LINE 256   /* bytes in which the path must show before an exchange is opened */
#define STEPS 65536 /* 4 MiB of stream in one read or write */

enum transport { TRANSPORT_TLS, TRANSPORT_SOCKET };

/* What one step needs, looked up once per program. */
struct scene {
	struct exchange *x;
	struct record *r;
	struct automaton *a;
};

static __always_inline u32 bucket(u64 sock) {
	return (sock >> 6) & (HOT - 1);
}

static __always_inline void warm_socket(u64 sock, u32 by) {
	u32 at = bucket(sock);
	u32 *n = m_lookup(hot_sockets, &at);
	if (n)
		__sync_fetch_and_add(n, by);
}

static __always_inline int is_hot_socket(u64 sock) {
	u32 at = bucket(sock);
	u32 *n = m_lookup(hot_sockets, &at);
	return n && *n;
}

static __always_inline void warm_task(u32 tgid, u32 by) {
	u32 at = tgid & (HOT_TASKS - 1);
	u32 *n = m_lookup(hot_tasks, &at);
	if (n)
		__sync_fetch_and_add(n, by);
}

static __always_inline int is_hot_task(u32 tgid) {
	u32 at = tgid & (HOT_TASKS - 1);
	u32 *n = m_lookup(hot_tasks, &at);
	return n && *n;
}

/* Tell user space of a process before it is gone; an exec is told by its own hook. */
static __always_inline void meet(u32 tgid) {
	if (m_lookup(processes, &tgid))
		return;
	u32 one = 1;
	m_update(processes, &tgid, &one);
	struct process_record p = {};
	p.kind = RECORD_PROCESS;
	p.tgid = tgid;
	p.at_ns = bpf_ktime_get_ns();
	if (m_output(events, &p, sizeof(p), 2)) /* 2: BPF_RB_FORCE_WAKEUP, behind records that wake nobody */
		count(LOSS_RING, 1);
}

/* Forget an exchange without a word: the connection did not carry what it seemed to. */
SUBPROGRAM int forget(struct exchange *x, struct stream_key *key) {
	if (!x || !key)
		return 0;
	struct stream_key k = *key;
	u64 sock = x->sock;
	u32 tgid = x->tgid;
	if (k.owner) {
		warm_task(tgid, -1);
		if (sock) {
			warm_socket(sock, -1);
			m_delete(sockets, &sock);
		}
	} else {
		warm_socket(k.ptr, -1);
	}
	m_delete(records, &k);
	m_delete(exchanges, &k);
	return 0;
}

/* The exchange is over: send its record. `closer` counts only where nobody was seen closing before. */
SUBPROGRAM int finish(struct exchange *x, struct stream_key *key, u64 now, u8 end, u8 closer) {
	if (!x || !key)
		return 0;
	struct stream_key k = *key; /* Linux 6.1 takes a map's key from the stack, not from an argument */
	struct record *r = m_lookup(records, &k);
	if (r) {
		x->end = end;
		x->last_ns = now;
		if (!x->closer)
			x->closer = closer;
		/* A body without a length is complete when its sender ends the connection. */
		if ((x->way[RESPONSE].head_flags & A_TO_CLOSE) && x->closer == (x->role == ROLE_CLIENT ? CLOSER_PEER : CLOSER_THIS))
			x->flags |= X_COMPLETE;
		r->kind = RECORD_EXCHANGE;
		r->hot = *x;
		if (m_output(events, r, offsetof(struct record, cursor), 1)) /* 1: BPF_RB_NO_WAKEUP, the reader polls */
			count(LOSS_RING, 1);
	}
	if ((x->flags & X_PIPELINED) && (end == END_BODY || end == END_TERMINAL)) {
		x->flags = X_MID; /* the answer that follows is not one whose request came before us */
		m_delete(records, &k);
		return 0;
	}
	return forget(x, key);
}

/* AF_INET and AF_INET6 keep the peer at fixed places of struct sock_common, unchanged since Linux 3.x: daddr 0,
 * dport 12, family 16, v6_daddr 56. A wrong guess would show a wrong address and nothing else. */
static __always_inline void note_peer(struct record *r, u64 sock) {
	u16 family = 0, port = 0;
	bpf_probe_read_kernel(&family, 2, (void *)(sock + 16));
	bpf_probe_read_kernel(&port, 2, (void *)(sock + 12));
	if (family == 2)
		bpf_probe_read_kernel(r->peer, 4, (void *)sock);
	else if (family == 10)
		bpf_probe_read_kernel(r->peer, 16, (void *)(sock + 56));
	r->peer_family = family;
	r->peer_port = port;
}

/* A TLS stream's socket, learnt from what its thread did beside the OpenSSL call. */
static __always_inline void join_socket(struct exchange *x, struct stream_key *key, u64 sock) {
	if (x->sock || !sock)
		return;
	struct stream_key k = *key;
	x->sock = sock;
	m_update(sockets, &sock, &k);
	warm_socket(sock, 1);
	struct record *r = m_lookup(records, &k);
	if (r)
		note_peer(r, sock);
}

SUBPROGRAM int open_exchange(struct stream_key *key, u8 role, u64 now) {
	u32 none = 0;
	if (!key)
		return 0;
	struct stream_key k = *key;
	struct zeroes *z = m_lookup(zero, &none);
	struct automaton *a = m_lookup(automata, &none);
	if (!z || !a)
		return 0;
	if (m_update(exchanges, &k, &z->exchange)) {
		count(LOSS_EXCHANGES, 1);
		return 0;
	}
	if (m_update(records, &k, &z->record)) {
		count(LOSS_RECORDS, 1);
		m_delete(exchanges, &k);
		return 0;
	}
	struct exchange *x = m_lookup(exchanges, &k);
	struct record *r = m_lookup(records, &k);
	if (!x || !r)
		return 0;
	x->key = k;
	x->start_ns = now;
	x->last_ns = now;
	x->role = role;
	x->tgid = bpf_get_current_pid_tgid() >> 32;
	x->way[REQUEST].row = a->start_request;
	x->way[RESPONSE].row = a->start_response;
	r->cgroup = bpf_get_current_cgroup_id();
	bpf_get_current_comm(r->comm, sizeof(r->comm));
	if (k.owner) {
		warm_task(x->tgid, 1);
		struct connection *t = m_lookup(connections, &k);
		if (t) {
			if (!t->reported)
				r->handshake_ns = t->shake_ns;
			t->reported = 1;
			__builtin_memcpy(r->sni, t->sni, SNI_BYTES);
		}
	} else {
		warm_socket(k.ptr, 1);
		note_peer(r, k.ptr);
	}
	meet(x->tgid);
	return 1;
}

/* Copy `n` bytes at `src` behind what a prefix buffer holds. */
#define APPEND_PREFIX(buffer, size, length, n, src)                                                                    \
	do {                                                                                                           \
		u64 at_ = length;                                                                                      \
		if (at_ < size) {                                                                                      \
			u64 room_ = size - at_;                                                                        \
			u64 take_ = (n) < room_ ? (n) : room_;                                                         \
			BOUND(at_, size - 1);                                                                          \
			BOUND(take_, 2 * size - 1);                                                                    \
			if (take_ <= size) {                                                                           \
				if (bpf_probe_read_user(buffer + at_, take_, (void *)(src)))                           \
					count(LOSS_COPY, 1);                                                           \
				length += take_;                                                                       \
			}                                                                                              \
		}                                                                                                      \
	} while (0)

/* Copy the last bytes of the run into a circular buffer, in two pieces. */
#define APPEND_TAIL(buffer, size, length, n, src)                                                                      \
	do {                                                                                                           \
		u64 take_ = (n) > size ? size : (n), from_ = (src) + (n) - take_, at_ = length;                        \
		BOUND(at_, size - 1);                                                                                  \
		u64 first_ = size - at_;                                                                               \
		if (first_ > take_)                                                                                    \
			first_ = take_;                                                                                \
		u64 rest_ = take_ - first_;                                                                            \
		BOUND(first_, 2 * size - 1);                                                                           \
		if (first_ <= size)                                                                                    \
			bpf_probe_read_user(buffer + at_, first_, (void *)from_);                                      \
		BOUND(rest_, size - 1);                                                                                \
		if (rest_)                                                                                             \
			bpf_probe_read_user(buffer, rest_, (void *)(from_ + first_));                                  \
		length += take_;                                                                                       \
	} while (0)

/* The head is complete: what follows it? */
static __always_inline void begin_body(struct exchange *x, struct record *r, struct message *m, struct automaton *a,
				       u32 response) {
	u32 f = m->head_flags;
	m->head_flags = f & ~A_END;
	m->left = 0;
	if (response && ((f & A_SWITCH) || (f & A_FOREIGN) == A_FOREIGN)) {
		count((f & A_SWITCH) ? SEEN_WEBSOCKET : SEEN_EVENTSTREAM, 1);
		x->flags |= X_SWITCHED;
		m->mode = MODE_BAD;
		return;
	}
	if (response && (f & A_INTERIM)) {
		m->row = a->start_response; /* an interim answer: the final head is still to come */
		m->head_flags = 0;
		m->value = 0;
		x->first_byte_ns = 0;
		r->response_head_len = 0;
		return;
	}
	if (!response) {
		u32 wire = a->streams[(m->path >> 8) & (WIRES - 1)];
		x->tally.row = wire & (CELLS - 256);
		x->table = wire & 255;
	} else {
		m->body = BODY_SHIP;
		if (f & A_ENCODED)
			x->flags |= X_ENCODED;
		else if (f & A_SSE)
			m->body = BODY_SSE;
		else if (f & A_NDJSON)
			m->body = BODY_NDJSON;
	}
	if (f & A_CHUNKED) {
		m->mode = MODE_SIZE;
		m->row = a->start_chunk;
	} else if (response && (f & A_BODYLESS)) {
		m->mode = MODE_DONE;
	} else if (f & A_LENGTH) {
		m->left = m->value;
		m->mode = m->left ? MODE_BODY : MODE_DONE;
	} else {
		m->mode = response ? MODE_BODY : MODE_DONE; /* an answer without a length ends with the connection */
		m->left = ~0ULL >> 1;
		m->head_flags |= A_TO_CLOSE;
	}
	m->value = 0;
}

#define NOWHERE SCRATCH_BYTES

/* Bring the bytes at the cursor into the block, unless they are there: a copy of user memory costs 95 ns (on a VM) whatever
 * its size, and framing and events stand close together. Returns where in the block they begin. */
static __always_inline u64 look(struct record *r, u64 most) {
	struct cursor *c = &r->cursor;
	struct scratch *v = &r->scratch;
	u64 at = c->pos - v->from, avail = c->len - c->pos, none = 0;
	if (HAS_WINDOW) {
		most = SCRATCH_BYTES;
		if (at < v->held) {
			BOUND(at, SCRATCH_MASK);
			return at;
		}
	}
	u64 take = avail < most ? avail : most;
	BOUND(take, SCRATCH_MASK);
	v->held = 0;
	if (take > SCRATCH_BYTES || bpf_probe_read_user(v->block, take, (void *)(c->base + c->pos)))
		return NOWHERE;
	__builtin_memcpy(v->block + take, &none, sizeof(none)); /* what stood there before must not be scanned */
	v->from = c->pos;
	v->held = take;
	return 0;
}

/* Read a piece of a head or of a chunk-size line. */
SUBPROGRAM int step_head(struct exchange *x, struct record *r, struct automaton *a, u64 src) {
	if (!x || !r || !a)
		return 1;
	struct cursor *c = &r->cursor;
	struct message *m = &x->way[c->response & 1];
	u8 *block = r->scratch.block;
	CLEAR(block, HEAD_BLOCK);
	u32 is_head = m->mode == MODE_HEAD;
	u64 most = is_head ? HEAD_BLOCK : SIZE_BLOCK, at = look(r, most);
	if (at >= NOWHERE) {
		count(LOSS_COPY, 1);
		m->mode = MODE_BAD;
		return 1;
	}
	u64 take = r->scratch.held - at;
	if (take > most)
		take = most;
	u32 used = scan_head(a, m, (struct head_block *)(block + at), take, is_head ? 10 : 16);
	if (is_head) {
		/* Before the head may stand what a client left unread of the answer before: 0 CR LF CR LF. */
		if (c->response && !x->first_byte_ns && m->row != a->start_response)
			x->first_byte_ns = c->now;
		if (c->response && x->first_byte_ns)
			APPEND_PREFIX(r->response_head, RESPONSE_HEAD, r->response_head_len, used, src);
		else if (!c->response)
			APPEND_PREFIX(r->request_head, REQUEST_HEAD, r->request_head_len, used, src);
	}
	c->pos += used;
	u32 f = m->head_flags;
	if (f & A_BAD) {
		m->mode = MODE_BAD;
		return 1;
	}
	if (!(f & A_END)) {
		if (used != take) { /* a zero byte: no head we can follow */
			m->mode = MODE_BAD;
			return 1;
		}
		return 0;
	}
	if (is_head) {
		begin_body(x, r, m, a, c->response);
		return 0;
	}
	m->head_flags = f & ~A_END;
	m->left = m->value;
	m->mode = m->left ? MODE_BODY : MODE_DONE; /* trailers after the last chunk say nothing we need */
	m->row = a->start_next_chunk;
	m->value = 0;
	return 0;
}

/* Send a run of a body that user space must see whole. */
SUBPROGRAM u64 ship(struct exchange *x, u64 now, u64 src, u64 run) {
	if (!x)
		return run;
	u64 take = run < PIECE_BYTES ? run : PIECE_BYTES;
	if (x->shipped >= SHIP_BYTES) {
		x->flags |= X_PIECES_LOST;
		count(LOSS_PIECES, run);
		return run;
	}
	x->shipped += take;
	if (take <= SMALL_PIECE) {
		struct small_piece *p = m_reserve(events, sizeof(struct small_piece));
		if (p) {
			p->kind = RECORD_PIECE;
			p->key = x->key;
			p->start_ns = x->start_ns;
			p->at_ns = now;
			BOUND(take, 2 * SMALL_PIECE - 1);
			p->len = take;
			if (take > SMALL_PIECE || bpf_probe_read_user(p->data, take, (void *)src)) {
				p->len = 0;
				x->flags |= X_PIECES_LOST;
			}
			m_submit(events, p, 1);
			return take;
		}
	} else {
		struct piece *p = m_reserve(events, sizeof(struct piece));
		if (p) {
			p->kind = RECORD_PIECE;
			p->key = x->key;
			p->start_ns = x->start_ns;
			p->at_ns = now;
			BOUND(take, 2 * PIECE_BYTES - 1);
			p->len = take;
			if (take > PIECE_BYTES || bpf_probe_read_user(p->data, take, (void *)src)) {
				p->len = 0;
				x->flags |= X_PIECES_LOST;
			}
			m_submit(events, p, 1);
			return take;
		}
	}
	count(LOSS_RING, 1);
	x->flags |= X_PIECES_LOST;
	return take;
}

/* Copy a run of the block into the circular tail: half the price of a copy of user memory. */
SUBPROGRAM int append_block(struct record *r, u64 begin, u64 run) {
	if (!r)
		return 0;
	u8 *block = r->scratch.block;
	u64 at = r->response_tail_len, first = RESPONSE_TAIL - (at & (RESPONSE_TAIL - 1)), rest = 0;
	if (first > run)
		first = run;
	rest = run - first;
	r->response_tail_len += run;
	BOUND(at, RESPONSE_TAIL - 1);
	BOUND(begin, SCRATCH_MASK);
	BOUND(first, SCRATCH_MASK);
	bpf_probe_read_kernel(r->response_tail + at, first, block + begin);
	begin += first;
	BOUND(begin, SCRATCH_MASK);
	BOUND(rest, SCRATCH_MASK);
	if (rest)
		bpf_probe_read_kernel(r->response_tail, rest, block + begin);
	return 0;
}

/* Read a block of an event stream. */
SUBPROGRAM u64 watch(struct exchange *x, struct record *r, struct automaton *a, u64 src, u64 run) {
	if (!x || !r || !a)
		return run;
	struct cursor *c = &r->cursor;
	u32 ends = x->way[RESPONSE].body == BODY_SSE ? E_EVENT : E_LINE;
	u8 *block = r->scratch.block;
	CLEAR(block, STREAM_RUN);
	u64 begin = look(r, run < STREAM_RUN ? run : STREAM_RUN), take = r->scratch.held - begin, none = 0;
	if (begin >= NOWHERE) {
		count(LOSS_COPY, 1);
		x->flags |= X_SCAN_LOST;
		return run;
	}
	if (take > run)
		take = run;
	/* What stands behind the run is no part of the stream. */
	u64 behind = begin + take;
	BOUND(behind, SCRATCH_MASK);
	__builtin_memcpy(&r->scratch.kept, block + behind, sizeof(none));
	__builtin_memcpy(block + behind, &none, sizeof(none));
#pragma clang loop unroll(disable)
	for (u64 at = 0; at < STREAM_RUN && at < take; at += STREAM_BLOCK) {
		u64 from = begin + at;
		BOUND(from, SCRATCH_MASK);
		scan_stream(a, &x->tally, (struct stream_block *)(block + from), take - at, ends);
	}
	__builtin_memcpy(block + behind, &r->scratch.kept, sizeof(none));
	/* After the scan: before it, the verifier would walk the scan once for every way through the copies. */
	if (c->pos >= c->copied) {
		APPEND_PREFIX(r->response_body, RESPONSE_BODY, r->response_body_len, run, src);
		if (HAS_WINDOW && run == take)
			append_block(r, begin, run);
		else
			APPEND_TAIL(r->response_tail, RESPONSE_TAIL, r->response_tail_len, run, src);
		c->copied = c->pos + run;
	}
	return take;
}

/* One step through the bytes of a call: the next iovec, a piece of a head, or a run of a body. Returns 1 at the end. */
static __always_inline int step(struct scene *s) {
	struct cursor *c = &s->r->cursor;
	struct exchange *x = s->x;
	if (c->pos >= c->len) {
		struct scratch *v = &s->r->scratch;
		if (!c->iovs || !c->budget)
			return 1;
		if (bpf_probe_read_user(v, offsetof(struct scratch, from), (void *)c->iov)) {
			count(LOSS_COPY, 1);
			x->flags |= X_SCAN_LOST;
			return 1;
		}
		c->iov += offsetof(struct scratch, from);
		c->iovs--;
		v->held = 0;
		c->base = v->base;
		c->len = v->len < c->budget ? v->len : c->budget;
		c->budget -= c->len;
		c->pos = 0;
		c->copied = 0;
		return 0;
	}
	struct message *m = &x->way[c->response & 1];
	u64 src = c->base + c->pos, avail = c->len - c->pos;
	if (m->mode <= MODE_SIZE)
		return step_head(x, s->r, s->a, src) != 0;
	if (m->mode != MODE_BODY) {
		if (m->mode == MODE_DONE && !c->response && avail > 2) { /* a pipelined request; CR LF is none */
			x->flags |= X_PIPELINED;
			count(LOSS_HTTP, 1);
		}
		return 1;
	}
	u64 run = avail < m->left ? avail : m->left, took = run;
	if (!c->response) {
		APPEND_PREFIX(s->r->request_body, REQUEST_BODY, s->r->request_body_len, run, src);
		APPEND_TAIL(s->r->request_tail, REQUEST_TAIL, s->r->request_tail_len, run, src);
	} else if (m->body == BODY_SHIP) {
		took = ship(x, c->now, src, run);
	} else {
		took = watch(x, s->r, s->a, src, run);
	}
	c->pos += took;
	m->left -= took;
	if (!m->left)
		m->mode = (m->head_flags & A_CHUNKED) ? MODE_SIZE : MODE_DONE;
	return 0;
}

/* The bytes of the call are read: set the instants they brought, end the exchange where they ended it. */
static __always_inline void settle(struct exchange *x, struct cursor *c) {
	struct stream_key key = x->key;
	u64 now = c->now;
	if (x->tally.content != c->content) {
		if (!x->first_token_ns)
			x->first_token_ns = now;
		else if (now - x->last_token_ns > x->max_gap_ns)
			x->max_gap_ns = now - x->last_token_ns;
		x->last_token_ns = now;
	}
	if (x->tally.output != c->output && !x->first_output_ns)
		x->first_output_ns = now;
	x->last_ns = now;
	u8 asked = x->way[REQUEST].mode, answered = x->way[RESPONSE].mode, end = 0;
	if (answered == MODE_DONE) {
		x->flags |= X_COMPLETE;
		end = END_BODY;
	}
	if (x->tally.seen & E_TERMINAL) /* some clients read no further */
		end = END_TERMINAL;
	if (asked == MODE_BAD || answered == MODE_BAD) { /* not an LLM exchange after all, or one we cannot follow */
		if (answered == MODE_BAD && !(x->flags & X_SWITCHED))
			count(LOSS_HTTP, 1);
		forget(x, &key);
	} else if (end) {
		finish(x, &key, now, end, CLOSER_NONE);
	}
}

/* The scan ended before the bytes did. */
static __always_inline void lose_rest(struct scene *s) {
	count(LOSS_SCAN, 1);
	s->x->flags |= X_SCAN_LOST;
}

#ifdef LLMSLO_BCC
/* BCC has no bpf_loop, and it would inline the scan into every program that needs it: seconds of compiling, and more
 * paths than the verifier walks. One program of each kind scans, and jumps to itself while bytes are left. */
struct work {
	struct stream_key key;
	u64 sock;
	u64 outgoing;
};
M_HASH(work, u64, struct work, THREADS); /* by thread */
M_JUMPS(more_probe);
M_JUMPS(more_raw);

/* Go to the program that scans; comes back only where the kernel refuses, as it does the 34th jump in a row. */
static __always_inline void jump(void *ctx, u32 transport) {
	if (transport == TRANSPORT_TLS) { /* a program jumps to its own kind only */
		m_tail_call(more_probe, ctx, 0);
	} else {
		m_tail_call(more_raw, ctx, 0);
	}
}

/* What the program does after the bytes must be done by the one that scans, too. */
static __always_inline void follow(void *ctx, struct scene *s, u64 sock, u32 outgoing, u32 transport) {
	u64 id = bpf_get_current_pid_tgid();
	struct work w = {};
	w.key = s->x->key;
	w.sock = sock;
	w.outgoing = outgoing;
	if (!m_update(work, &id, &w))
		jump(ctx, transport);
	m_delete(work, &id);
	lose_rest(s);
}

/* Go on where the program before this one stopped. Returns 0 where there is nothing to go on with. */
static __always_inline int resume(void *ctx, struct work *w, u32 transport) {
	u32 table = 0;
	int done = 0;
	u64 id = bpf_get_current_pid_tgid();
	struct scene s = {};
	struct work *of = m_lookup(work, &id);
	if (!of)
		return 0;
	*w = *of;
	s.x = m_lookup(exchanges, &w->key);
	s.r = m_lookup(records, &w->key);
	if (s.x)
		table = s.x->table;
	s.a = m_lookup(automata, &table);
	if (s.x && s.r && s.a) {
		REPEAT {
			done = step(&s);
			if (done)
				break;
		}
		if (!done) {
			jump(ctx, transport);
			lose_rest(&s);
		}
		settle(s.x, &s.r->cursor);
	}
	m_delete(work, &id);
	return 1;
}
#else
static long step_once(u32 i, void *scene) {
	(void)i;
	return step(scene);
}

/* Follow the bytes of a call to their end. */
static __always_inline void follow(void *ctx, struct scene *s, u64 sock, u32 outgoing, u32 transport) {
	(void)ctx;
	(void)sock;
	(void)outgoing;
	(void)transport;
	if (bpf_loop(STEPS, step_once, s, 0) >= STEPS)
		lose_rest(s);
	settle(s->x, &s->r->cursor);
}
#endif

#define POST 0x2054534f50ULL /* "POST ", little endian */
#define GET 0x20544547ULL /* "GET " */
#define DATA 0x3a61746164ULL /* "data:" */
#define EVENT 0x746e657665ULL /* "event" */
#define FOUR 0xffffffffULL
#define FIVE 0xffffffffffULL
#define PREFACE 0x5448202a20495250ULL /* "PRI * HT": HTTP/2 begins */

/* Could the request line that begins here name an LLM endpoint? Undecided is yes. */
SUBPROGRAM int may_be_llm(struct automaton *a, u64 src, u64 len) {
	if (!a)
		return 0;
	struct message m = {};
	m.row = a->start_request;
#pragma clang loop unroll(disable)
	for (u32 at = 0; at < REQUEST_LINE; at += HEAD_BLOCK) {
		struct head_block block = {};
		if (at >= len)
			return 1;
		u64 take = len - at < HEAD_BLOCK ? len - at : HEAD_BLOCK;
		BOUND(take, 2 * HEAD_BLOCK - 1);
		if (take > HEAD_BLOCK || bpf_probe_read_user(&block, take, (void *)(src + at)))
			return 0;
		scan_head(a, &m, &block, take, 10);
		if (m.head_flags & A_BAD)
			return 0;
		if (m.head_flags & A_LLM)
			return 1;
	}
	return 1;
}

/* Does an event begin here? */
static __always_inline int may_be_event(u64 word) {
	u64 line = ((word & FIVE) == DATA) | ((word & FIVE) == EVENT);
#pragma unroll
	for (int i = 1; i < 6; i++) /* a chunk size of 1 to 5 digits, CR LF, then `data` or `event`: d and e differ in a bit */
		line |= ((word >> (8 * i)) & 0xfeffff) == 0x640a0d;
	return line;
}

/* Does the call bring events of an LLM? */
SUBPROGRAM int is_llm_stream(struct cursor *c) {
	u32 none = 0;
	struct automaton *a = m_lookup(automata, &none);
	if (!a || !c)
		return 0;
	struct tally t = {};
	t.row = a->streams[0] & (CELLS - 256); /* the first wire is in the first table */
#pragma clang loop unroll(disable)
	for (u32 at = 0; at < REQUEST_LINE; at += STREAM_BLOCK) {
		struct stream_block block = {};
		if (at >= c->len)
			break;
		u64 take = c->len - at < STREAM_BLOCK ? c->len - at : STREAM_BLOCK;
		BOUND(take, 2 * STREAM_BLOCK - 1);
		if (take > STREAM_BLOCK || bpf_probe_read_user(&block, take, (void *)(c->base + at)))
			return 0;
		scan_stream(a, &t, &block, take, E_EVENT);
	}
	return (t.seen & (E_OUTPUT | E_REASONING | E_FINISH)) != 0;
}

enum begun { NOTHING = 0, BEGUN_REQUEST = 1, PERHAPS_STREAM = 2 };

/* No exchange is open on the connection: does one begin here? Who asks opens it: up to Linux 6.12 all functions that
 * call one another share 512 bytes of stack. */
SUBPROGRAM int begin(struct stream_key *key, struct exchange *mid, struct cursor *c) {
	u32 none = 0;
	if (!key || !c)
		return NOTHING;
	u64 word = 0, mask = ~0ULL, first = c->len < 8 ? c->len : 8;
	struct automaton *a = m_lookup(automata, &none);
	BOUND(first, 15);
	if (!a || !first || first > 8 || bpf_probe_read_user(&word, first, (void *)c->base))
		return NOTHING;
	if ((word & 0xffffffff) == 0x4f500a0d) { /* an empty line, then PO (RFC 9112, 2.2) */
		c->base += 2;
		c->len -= 2;
		if (bpf_probe_read_user(&word, 8, (void *)c->base))
			return NOTHING;
	}
	if (first < 5)
		mask = (1ULL << (8 * first)) - 1;
	/* A GET may ask for a WebSocket, which is counted. */
	if (((word ^ POST) & mask & FIVE) == 0 || ((word ^ GET) & mask & FOUR) == 0) {
		if (mid)
			forget(mid, key);
		return may_be_llm(a, c->base, c->len) ? BEGUN_REQUEST : NOTHING;
	}
	if (!mid && word == PREFACE)
		count(SEEN_H2, 1);
	return !mid && may_be_event(word) ? PERHAPS_STREAM : NOTHING;
}

/* Learn the socket of a TLS stream: the one this call used itself, or (reads) the one its thread received from last,
 * or (writes) the one the thread will send on next. */
static __always_inline void learn_socket(struct exchange *x, struct stream_key *key, u64 sock, u32 outgoing) {
	u64 id = bpf_get_current_pid_tgid();
	if (sock) {
		join_socket(x, key, sock);
		return;
	}
	struct thread *t = m_lookup(threads, &id);
	if (!t)
		return;
	if (outgoing)
		t->written = *key;
	else
		join_socket(x, key, t->received);
}

/* The bytes of one successful call on a connection: `n` of them, the first iovec in the cursor. */
static __always_inline void deliver(void *ctx, struct stream_key *of, struct cursor *c, u64 n, u64 sock, u32 outgoing,
				    u32 transport) {
	u32 table = 0;
	struct stream_key key = *of;
	struct scene s = {};
	s.x = m_lookup(exchanges, &key);
	if (s.x && !(s.x->flags & X_MID)) {
		u32 asking = (s.x->role == ROLE_CLIENT) == outgoing;
		if (asking && s.x->way[REQUEST].mode == MODE_DONE) {
			if (!s.x->first_byte_ns) { /* pipelined: the answers could not be told apart */
				s.x->flags |= X_PIPELINED;
				count(LOSS_HTTP, 1);
				return;
			}
			finish(s.x, &key, c->now, END_NEXT, CLOSER_NONE);
			s.x = 0;
		}
	}
	if (!s.x || (s.x->flags & X_MID)) {
		u32 begun = begin(&key, s.x, c);
		u32 is_mid = begun == PERHAPS_STREAM;
		if (begun == NOTHING || (is_mid && !is_llm_stream(c)))
			return;
		if (!open_exchange(&key, outgoing != is_mid ? ROLE_CLIENT : ROLE_SERVER, c->now))
			return;
		s.x = m_lookup(exchanges, &key);
		if (!s.x)
			return;
		if (is_mid) { /* the exchange began before we did: remembered, so that it counts once */
			s.x->flags |= X_MID;
			m_delete(records, &key);
			count(SEEN_MID_STREAM, 1);
			return;
		}
	}
	table = s.x->table;
	s.r = m_lookup(records, &key);
	s.a = m_lookup(automata, &table);
	if (!s.r || !s.a)
		return;
	if (outgoing) {
		s.x->writes++;
		s.x->bytes_out += n;
	} else {
		s.x->reads++;
		s.x->bytes_in += n;
	}
	c->response = (s.x->role == ROLE_CLIENT) != outgoing;
	c->content = s.x->tally.content;
	c->output = s.x->tally.output;
	s.r->cursor = *c;
	s.r->scratch.held = 0;
	if (transport == TRANSPORT_TLS && !s.x->sock) /* before the bytes: they may end the exchange */
		learn_socket(s.x, &key, sock, outgoing);
	follow(ctx, &s, sock, outgoing, transport);
}
#endif
