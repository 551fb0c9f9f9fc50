/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The contract between the BPF programs and exporter/llmslo_exporter/events.py: every struct that crosses the border.
 * Fixed-width fields, explicit padding, little endian. A change here is a change there; tests compare the sizes. */
#ifndef LLMSLO_EVENTS_H
#define LLMSLO_EVENTS_H

/* Texts kept of one exchange. Heads: OpenAI's response heads reach 1 304 B in recordings, request heads 844 B without
 * long tokens. Tails: the last `usage` and `timings` of a stream fit 1 KiB; 2 KiB leaves room for an error's message.
 * All are powers of two: the circular tails mask with them. */
#define REQUEST_HEAD 2048
#define REQUEST_BODY 1024
#define REQUEST_TAIL 1024
#define RESPONSE_HEAD 2048
#define RESPONSE_BODY 1024
#define RESPONSE_TAIL 2048
#define SNI_BYTES 64 /* host names of providers are below 64; longer ones are cut */
#define COMM_BYTES 16
#define PIECE_BYTES 4096 /* largest run of a shipped body in one record */
#define SMALL_PIECE 512
#define SCRATCH_BYTES 320 /* a model's chunk is 180 to 350 bytes with its framing: most calls are copied once */
#define SCRATCH_MASK 511 /* over all places in it, for the verifier */

/* The automaton, made by automaton.py: next[row | byte]. An entry holds the next row, premultiplied by the 256 columns,
 * in its low bits and the actions above them. One load per byte; a stream touches some 60 rows of it. It comes in tables,
 * because before Linux 5.15 a map's value was copied through 4 MiB of kernel memory at most. Every table has the rows of
 * heads at the same places; the path of a request tells the table, and the row there, that read its answer's stream. */
#define TABLES 4
#define ROWS 2048
#define CELLS 524288 /* ROWS * 256 */
#define ACTION_SHIFT 19
#define WIRES 16 /* the rows behind a path are the first ones, one a wire */

struct automaton {
	u8 next[CELLS * 4]; /* of u32. BCC makes a text parser of every map's value, and an array of bytes is one field to it:
			     * CELLS fields take it half a minute. */
	u32 start_request; /* rows */
	u32 start_response;
	u32 start_chunk;      /* first chunk-size line */
	u32 start_next_chunk; /* the line end of a chunk, then its successor's size line */
	u32 pad[4];
	u32 streams[WIRES]; /* the row where each wire's streams start, its table in the low bits */
};

/* Actions while reading heads and chunk sizes. */
#define A_USED 0x0001     /* the byte belongs to the head or size line */
#define A_DIGIT 0x0002    /* the byte is a digit of the number being read */
#define A_END 0x0004      /* head or size line complete */
#define A_BAD 0x0008      /* not HTTP/1.1 as we know it */
#define A_LLM 0x0010      /* the request path names a known endpoint */
#define A_CHUNKED 0x0020
#define A_SSE 0x0040
#define A_NDJSON 0x0080
#define A_ENCODED 0x0100
#define A_INTERIM 0x0200  /* status 1xx */
#define A_SWITCH 0x0400   /* status 101 */
#define A_BODYLESS 0x0800 /* status 204, 304 */
#define A_LENGTH 0x1000   /* the first digit of a Content-Length: the number begins anew */
#define A_FOREIGN (A_SSE | A_NDJSON) /* both: Amazon's event stream */
#define A_TO_CLOSE 0x2000 /* no automaton action: the body ends with the connection */

/* Actions while reading an event stream. */
#define E_OUTPUT 0x0001
#define E_REASONING 0x0002
#define E_LINE 0x0004  /* a line ended: an NDJSON event */
#define E_EVENT 0x0008 /* a blank line ended an SSE event */
#define E_ERROR 0x0010
#define E_TERMINAL 0x0020 /* of the event it is in: counts when that ends, for usage may stand behind it */
#define E_FINISH 0x0040
#define E_INDEX 0x0080
#define E_QUIET 0x1000 /* in the state it leads to only a quote, a backslash, CR or LF does anything */
#define E_NUMBER_SHIFT 8 /* four bits, with E_FINISH the FinishReason, with E_INDEX the choice (15: ten and more) */

enum record_kind {
	RECORD_EXCHANGE = 1,
	RECORD_PIECE = 2,
	RECORD_PROCESS = 3, /* a process began (exec), or an exchange began in one not seen yet */
	RECORD_EXIT = 4,    /* a process with open exchanges ended */
	RECORD_TLS_FAILED = 5,
	RECORD_TLS_NAMED = 6, /* struct tls_failed: a process that is left out names a host */
};
enum absence { ABSENCE_MEANT = 1, ABSENCE_DONE = 2 }; /* of a process that is left out: are its probes gone? */
enum role { ROLE_CLIENT = 0, ROLE_SERVER = 1 };
enum end_cause { END_TERMINAL = 1, END_BODY = 2, END_NEXT = 3, END_CLOSED = 4, END_EXITED = 5, END_SWEPT = 6 };
enum closer { CLOSER_NONE = 0, CLOSER_THIS = 1, CLOSER_PEER = 2, CLOSER_NETWORK = 3 };
enum way { REQUEST = 0, RESPONSE = 1 };
enum mode { MODE_HEAD = 0, MODE_SIZE = 1, MODE_BODY = 2, MODE_DONE = 3, MODE_BAD = 4 };
enum body_kind { BODY_SKIP = 0, BODY_SSE = 1, BODY_NDJSON = 2, BODY_SHIP = 3 };

/* Flags of an exchange. */
#define X_ENCODED 0x01
#define X_PIPELINED 0x02 /* a further request was sent before the answer: nobody follows it, nor its answer */
#define X_COMPLETE 0x08 /* the response's HTTP framing ended properly */
#define X_SCAN_LOST 0x10
#define X_PIECES_LOST 0x20
#define X_MID 0x40 /* a stream whose request was not seen: remembered so that it counts once */
#define X_SWITCHED 0x80 /* what follows is counted as not read */

struct stream_key {
	u64 ptr;   /* SSL * of a process, or struct sock * */
	u64 owner; /* tgid for TLS, 0 for a socket */
};

/* HTTP framing of one direction. */
struct message {
	u64 left;  /* bytes of body, or of the current chunk, still to come */
	u64 value; /* the number being read */
	u32 row;   /* automaton row of heads and size lines */
	u32 head_flags;
	u8 mode;
	u8 body;
	u8 pad[2];
	u32 path; /* the row behind the request's path */
};

/* Where an event stream stands. */
struct tally {
	u64 finishes; /* eight counters of eight bits, by FinishReason */
	u32 row;      /* automaton row */
	u32 open;     /* what the event being read has been so far: E_OUTPUT, E_REASONING, E_TERMINAL */
	u32 content;  /* events with content */
	u32 output;   /* of them, those with other than reasoning */
	u32 choices;  /* a bit for each index seen */
	u32 seen;     /* every action met */
};

/* Hot state: touched by every read and write of the exchange. */
struct exchange {
	struct stream_key key;
	u64 start_ns;
	u64 first_byte_ns;
	u64 first_token_ns;
	u64 first_output_ns;
	u64 last_token_ns;
	u64 max_gap_ns;
	u64 last_ns;
	u64 bytes_in;
	u64 bytes_out;
	u64 sock; /* of a TLS stream, once known */
	struct tally tally;
	u32 tgid;
	u32 reads;
	u32 writes;
	u32 shipped;
	u8 role;
	u8 flags;
	u8 end;
	u8 closer;
	u8 dead; /* its socket is, but this side has not met the end yet */
	u8 table; /* of the automaton */
	u8 pad[2];
	struct message way[2]; /* REQUEST, RESPONSE */
};

/* The bytes of one call, followed through its iovecs. Kept in the record and not on the stack: what stands in a map is
 * unknown to the verifier, so all turns of the loop look alike to it and one is enough; and a tail call finds it. */
struct cursor {
	u64 base;
	u64 len;
	u64 pos;
	u64 copied; /* the run up to here is in the tail already */
	u64 now;
	u64 iov;    /* next iovec */
	u64 budget; /* bytes of the call behind the current iovec */
	u32 iovs;
	u32 response;
	u32 content; /* counts before this call */
	u32 output;
};

/* What a turn of the loop works on: in the record for the same reason as the cursor. */
struct scratch {
	u64 base; /* an iovec */
	u64 len;
	u64 from; /* position of the first byte that the block holds of it */
	u64 held;
	u64 kept; /* a word of the block that a scan must not see */
	u8 block[SCRATCH_BYTES + 8]; /* bytes to scan, and a word of zeros */
};

/* Cold state and the record sent at the end of the exchange. */
struct record {
	u32 kind;
	u32 pad;
	struct exchange hot;
	u64 cgroup;
	u64 handshake_ns;
	u32 request_head_len;
	u32 request_body_len;
	u32 request_tail_len; /* all bytes that went through the circular tail */
	u32 response_head_len;
	u32 response_body_len;
	u32 response_tail_len;
	u16 peer_family; /* AF_INET 2, AF_INET6 10, 0 unknown */
	u16 peer_port;   /* network order */
	u8 peer[16];
	u8 pad2[4];
	char comm[COMM_BYTES];
	char sni[SNI_BYTES];
	u8 response_tail[RESPONSE_TAIL];
	u8 request_head[REQUEST_HEAD];
	u8 response_head[RESPONSE_HEAD];
	u8 request_tail[REQUEST_TAIL];
	u8 request_body[REQUEST_BODY];
	u8 response_body[RESPONSE_BODY];
	struct cursor cursor; /* not sent */
	struct scratch scratch; /* not sent */
	u8 slack[RESPONSE_BODY]; /* not sent: the verifier adds the largest offset to the largest length */
};

struct piece {
	u32 kind;
	u32 len;
	struct stream_key key;
	u64 start_ns; /* of the exchange: with the key, its identity */
	u64 at_ns;
	u8 data[PIECE_BYTES];
};

struct small_piece {
	u32 kind;
	u32 len;
	struct stream_key key;
	u64 start_ns;
	u64 at_ns;
	u8 data[SMALL_PIECE];
};

struct process_record {
	u32 kind;
	u32 tgid;
	u64 at_ns;
};

struct tls_failed {
	u32 kind;
	u32 tgid;
	char sni[SNI_BYTES];
};

/* Every loss has a slot; names in events.py. */
enum loss {
	LOSS_RING = 0,       /* ring buffer full */
	LOSS_EXCHANGES = 1,  /* table of exchanges full */
	LOSS_RECORDS = 2,    /* no memory for an exchange's texts */
	LOSS_CALLS = 3,      /* no entry for a thread that uses OpenSSL */
	LOSS_COPY = 4,       /* user memory could not be read */
	LOSS_SCAN = 5,       /* a read or write too long to scan to its end */
	LOSS_UNREADABLE = 6, /* bytes moved without a user buffer (io_uring, sendfile) */
	LOSS_PIECES = 7,     /* body beyond the shipping bound */
	LOSS_HTTP = 8,       /* the framing of an LLM exchange could not be followed */
	SEEN_MID_STREAM = 9,
	SEEN_H2 = 10,
	SEEN_WEBSOCKET = 11,
	SEEN_EVENTSTREAM = 12,
	COUNTERS = 13,
};
#endif
