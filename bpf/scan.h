/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Running the automaton over a block of bytes. Free of branches on the bytes themselves: a branch per byte would make
 * the verifier walk every path, and BCC, which has no bpf_loop, would scan a fraction of a read. A zero byte changes
 * nothing in any state, so a short block is padded with zeros. */
#ifndef LLMSLO_SCAN_H
#define LLMSLO_SCAN_H

#define HEAD_BLOCK 32   /* heads are read once per exchange: small blocks keep the verifier's work small */
#define STREAM_BLOCK 64 /* a model's chunk is 180 to 350 bytes */
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
	return ((u32 *)a->next)[(row & (CELLS - 256)) | (byte & 0xff)];
}

/* Read part of a head or size line. Returns how many bytes belonged to it. */
static __always_inline u32 scan_head(struct automaton *a, struct message *m, u8 *block, u64 base) {
	u32 row = m->row, flags = 0, used = 0;
	u64 value = m->value;
#pragma clang loop unroll(disable)
	for (int w = 0; w < HEAD_BLOCK / WORD; w++) {
		u64 word = *(u64 *)(block + w * WORD);
#pragma unroll
		for (int j = 0; j < WORD; j++) {
			u32 byte = (word >> (8 * j)) & 0xff;
			u32 e = entry(a, row, byte);
			u32 act = e >> ACTION_SHIFT;
			u64 digit = (byte & 15) + 9 * (byte >> 6);
			u64 keep = (u64)((act >> 1) & 1) - 1; /* all ones unless A_DIGIT */
			value &= (u64)((act >> 12) & 1) - 1;  /* A_LENGTH: the first digit of the header's value */
			value = (value & keep) | ((value * base + digit) & ~keep);
			row = e;
			flags |= act;
			used += act & A_USED;
		}
	}
	m->row = row & (CELLS - 1);
	m->value = value;
	m->head_flags |= flags;
	return used;
}

/* Where a stream stands: what scan_stream() reads and writes of an exchange. */
struct tally {
	u64 finishes;
	u32 row;
	u32 open; /* what the event being read has been so far */
	u32 content;
	u32 output;
	u32 choices;
	u32 seen; /* every action met */
};

/* Read part of an event stream, one word at a time: within eight bytes a content event can end at most once, and what
 * makes it content stands before its end. `ends` is E_EVENT or E_LINE. */
static __always_inline void scan_stream(struct automaton *a, struct tally *t, u8 *block, u32 ends) {
	u32 row = t->row, open = t->open, content = t->content, output = t->output, choices = t->choices, seen = 0;
	u64 finishes = t->finishes;
	/* A finish reason and a choice's index share the number's bits: at least `,"index":` stands between them. */
#pragma clang loop unroll(disable)
	for (int w = 0; w < STREAM_BLOCK / WORD; w++) {
		u64 word = *(u64 *)(block + w * WORD);
		u32 all = 0;
#pragma unroll
		for (int j = 0; j < WORD; j++) {
			u32 e = entry(a, row, word >> (8 * j));
			row = e;
			all |= e;
		}
		u32 act = all >> ACTION_SHIFT;
		open |= act & (E_OUTPUT | E_REASONING);
		u32 ended = ((act & ends) + 15) >> 4; /* 0 or 1: both ends are below 16 */
		content += (open | (open >> 1)) & ended;
		output += open & ended;
		open &= ended - 1;
		seen |= act;
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
}
#endif
