/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* No program asks for the version; BCC wants the names. */
#define KERNEL_VERSION(a, b, c) (((a) << 16) + ((b) << 8) + ((c) > 255 ? 255 : (c)))
#define LINUX_VERSION_CODE KERNEL_VERSION(6, 1, 0)
