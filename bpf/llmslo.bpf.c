/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* llmslo: every LLM exchange of the node summed up in the kernel, one record for each. */
#include "portable.h"
#include "events.h"
#include "maps.h"
#include "scan.h"
#include "exchange.h"
#include "busy.h"
#include "tls.h"
#include "socket.h"
#include "process.h"
#ifndef LLMSLO_BCC
#include "syscall.h"
#endif

LICENSE
