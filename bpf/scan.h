/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Running the automaton over a block of bytes. Free of branches on the bytes themselves: a branch per byte would make
 * the verifier walk every path, and BCC, which has no bpf_loop, would scan a fraction of a read. A zero byte changes
 * nothing in any state, so a short block is padded with zeros. */
#ifndef LLMSLO_SCAN_H
#define LLMSLO_SCAN_H

#define HEAD_BLOCK 32 /* heads are read once per exchange: small blocks keep the verifier's work small */
#define SIZE_BLOCK 8  /* a chunk-size line is 3 to 6 bytes */
#define STREAM_BLOCK 64
#ifdef LLMSLO_BCC
#define STREAM_BLOCKS 1 /* each turn of BCC's loop is verified by itself */
#else
#define STREAM_BLOCKS (SCRATCH_BYTES / STREAM_BLOCK)
#endif
#define STREAM_RUN (STREAM_BLOCK * STREAM_BLOCKS)
#define WORD 8

/* An asm mask right before a variable-length copy: the compiler cannot fold it away, so the verifier sees the bound. */
#define BOUND(v, mask) asm volatile("%0 &= %1" : "+r"(v) : "i"(mask))
#define HIDE(v) asm volatile("" : "+r"(v))

static __always_inline void count(u32 slot, u64 n) {
	u64 *c = m_lookup(counters, &slot);
	if (c)
		__sync_fetch_and_add(c, n);
}

static __always_inline u32 entry(struct automaton *a, u32 row, u32 byte) {
	u64 at = (row & (CELLS - 256)) | (byte & 0xff);
	BOUND(at, CELLS - 1); /* Linux 6.1 knows no bound of what an or gives */
	return ((u32 *)a->next)[at];
}

struct head_block {
	u64 words[HEAD_BLOCK / WORD];
};

struct stream_block {
	u64 words[STREAM_BLOCK / WORD];
};

/* Read part of a head or size line. Returns how many bytes belonged to it. */
SUBPROGRAM int scan_head(struct automaton *a, struct message *m, struct head_block *block, u64 len, u64 base) {
	if (!a || !m || !block)
		return 0;
	u32 row = m->row, path = m->path, flags = 0, used = 0;
	u64 value = m->value;
#pragma clang loop unroll(disable)
	for (u32 w = 0; w < HEAD_BLOCK / WORD; w++) {
		if (PAST(w * WORD, len))
			break;
		u64 word = block->words[w];
#pragma unroll
		for (int j = 0; j < WORD; j++) {
			u32 byte = word & 0xff;
			HIDE(word); /* one byte after the other: eight at once would go to the stack, and that is short */
			word >>= 8;
			u32 e = entry(a, row, byte);
			u32 act = e >> ACTION_SHIFT;
			u64 digit = (byte & 15) + 9 * (byte >> 6);
			u64 keep = (u64)((act >> 1) & 1) - 1; /* all ones unless A_DIGIT */
			value &= (u64)((act >> 12) & 1) - 1;  /* A_LENGTH: the first digit of the header's value */
			value = (value & keep) | ((value * base + digit) & ~keep);
			u32 behind = (u32)((act >> 4) & 1) - 1; /* all ones unless A_LLM */
			row = e;
			path = (path & behind) | (e & ~behind);
			flags |= act;
			used += act & A_USED;
		}
	}
	m->row = row & (CELLS - 1);
	m->path = path & (CELLS - 1);
	m->value = value;
	m->head_flags |= flags;
	return used;
}

#define ONES 0x0101010101010101ULL
#define HIGH 0x8080808080808080ULL
/* Is one of the eight bytes `b`? (Hacker's Delight, 6-1) */
#define HAS(word, b) ((((word) ^ (ONES * (b))) - ONES) & ~((word) ^ (ONES * (b))) & HIGH)

/* Read part of an event stream, one word at a time: within eight bytes a content event can end at most once, and what
 * makes it content stands before its end. `ends` is E_EVENT or E_LINE. */
SUBPROGRAM int scan_stream(struct automaton *a, struct tally *t, struct stream_block *block, u64 len, u32 ends) {
	if (!a || !t || !block)
		return 0;
	u32 row = t->row, open = t->open, content = t->content, output = t->output, choices = t->choices, seen = 0, quiet = 0;
	u64 finishes = t->finishes;
	/* A finish reason and a choice's index share the number's bits: at least `,"index":` stands between them. */
#pragma clang loop unroll(disable)
	for (u32 w = 0; w < STREAM_BLOCK / WORD; w++) {
		if (PAST(w * WORD, len))
			break;
		u64 word = block->words[w];
		u32 all = 0, e = 0;
		if (quiet && !(HAS(word, '"') | HAS(word, '\\') | HAS(word, '\n') | HAS(word, '\r')))
			continue; /* the inside of a string, mostly */
#pragma unroll
		for (int j = 0; j < WORD; j++) {
			e = entry(a, row, word >> (8 * j));
			row = e;
			all |= e;
		}
		quiet = (e >> ACTION_SHIFT) & E_QUIET;
		u32 act = all >> ACTION_SHIFT;
		open |= act & (E_OUTPUT | E_REASONING | E_TERMINAL);
		u32 ended = ((act & ends) + 15) >> 4; /* 0 or 1: both ends are below 16 */
		content += (open | (open >> 1)) & ended;
		output += open & ended;
		seen |= (act & ~E_TERMINAL) | (open & E_TERMINAL & (0 - ended));
		open &= ended - 1;
		choices |= ((act >> 7) & 1) << ((act >> E_NUMBER_SHIFT) & 15);
		finishes += (u64)((act >> 6) & 1) << (8 * ((act >> E_NUMBER_SHIFT) & 7));
	}
	t->row = row & (CELLS - 1);
	t->open = open;
	t->content = content;
	t->output = output;
	t->choices = choices;
	t->seen |= seen;
	t->finishes = finishes;
	return 0;
}
#endif
