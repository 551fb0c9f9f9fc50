/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Programs that do nothing: what is left is the price of the probe, and under BPF statistics that of the clock. */
#include "portable.h"

PROBE(empty_enter) {
	return 0;
}

RETURN(empty_return) {
	return 0;
}

LICENSE
