/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Every map, with the reason for its size. */
#ifndef LLMSLO_MAPS_H
#define LLMSLO_MAPS_H

#define EXCHANGES 8192  /* open exchanges of the node; hot state and texts take 11 KB each while open, nothing when not */
#define THREADS 16384   /* threads that use OpenSSL; the least recently used gives way */
#define CONNECTIONS 8192 /* TLS connections whose SNI and handshake are remembered */
#define PROCESSES 8192
#define BUSY 1024 /* processes with many TLS calls; and those left out for it */
#define RING_BYTES 8388608 /* 8 MiB: some 870 exchange records (9 584 bytes) between two reads of the ring */
#define HOT 65536 /* counting filter over socket addresses */
#define HOT_TASKS 4096
#define ENCRYPTED 16384 /* sockets remembered as TLS: one that another takes the place of is looked at again */

/* A thread that uses OpenSSL: the call it is in, and what it did beside its calls. */
struct thread {
	u64 ssl; /* of the call it is in; 0: in none */
	u64 buf;
	u64 length_at; /* where the callee stores the length; 0: it returns it */
	u64 enter_ns;
	u64 outgoing; /* a write */
	u64 sock;                  /* the socket this call moved bytes on, if it did itself */
	u64 received;              /* the socket the thread received from last, outside of a call */
	u64 failed_ssl;            /* of its last call that moved nothing */
	struct stream_key written; /* a stream it wrote whose socket is not known yet */
};

struct connection {
	u64 shake_start_ns;
	u64 shake_ns; /* 0: not done */
	u8 reported;
	u8 pad[7];
	char sni[SNI_BYTES];
};

struct zeroes { /* initial values larger than the 512-byte stack */
	struct exchange exchange;
	struct record record;
	struct connection connection;
};

M_HASH_LAZY(exchanges, struct stream_key, struct exchange, EXCHANGES);
M_HASH_LAZY(records, struct stream_key, struct record, EXCHANGES);
M_LRU(threads, u64, struct thread, THREADS);
M_LRU(shakes, u64, u64, THREADS);
M_LRU(connections, struct stream_key, struct connection, CONNECTIONS);
M_HASH_LAZY(sockets, u64, struct stream_key, EXCHANGES); /* socket of a TLS stream */
M_LRU(processes, u32, u32, PROCESSES);
M_LRU(tls_calls, u32, u64, BUSY);       /* calls of a process */
M_HASH_LAZY(left_out, u32, u32, BUSY);  /* processes whose reads and writes are not probed: enum absence */
M_ARRAY(zero, struct zeroes, 1);
M_ARRAY(automata, struct automaton, TABLES);
M_ARRAY(counters, u64, 16); /* enum loss */
M_ARRAY(hot_sockets, u32, HOT);      /* tracked sockets per bucket: 0 ends the work for all others */
M_ARRAY(hot_calls, u32, HOT_TASKS);  /* threads of the bucket inside an OpenSSL call */
M_ARRAY(hot_tasks, u32, HOT_TASKS);  /* open TLS exchanges of the processes in the bucket */
M_ARRAY(encrypted, u64, ENCRYPTED);  /* a socket's address, with how many TLS records of data it showed in the low bits */
M_RING(events, RING_BYTES);
#endif
