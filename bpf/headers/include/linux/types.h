/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The kernel's integer types, as far as our programs and BCC's helpers.h use them. */
#ifndef LLMSLO_TYPES_H
#define LLMSLO_TYPES_H
typedef signed char __s8;
typedef unsigned char __u8;
typedef short __s16;
typedef unsigned short __u16;
typedef int __s32;
typedef unsigned int __u32;
typedef long long __s64;
typedef unsigned long long __u64;
typedef __s8 s8;
typedef __u8 u8;
typedef __s16 s16;
typedef __u16 u16;
typedef __s32 s32;
typedef __u32 u32;
typedef __s64 s64;
typedef __u64 u64;
typedef __u16 __le16, __be16, __sum16;
typedef __u32 __le32, __be32, __wsum;
typedef __u64 __le64, __be64, __aligned_u64;
typedef u8 uint8_t;
typedef u16 uint16_t;
typedef u32 uint32_t;
typedef u64 uint64_t;
typedef s8 int8_t;
typedef s16 int16_t;
typedef s32 int32_t;
typedef s64 int64_t;
typedef unsigned long size_t;
typedef long ssize_t;
typedef unsigned long uintptr_t;
typedef int pid_t;
typedef unsigned int uid_t, gid_t;
typedef _Bool bool;
#define true 1
#define false 0
#define NULL ((void *)0)
#define __user
#define __always_inline inline __attribute__((always_inline))
#ifndef offsetof
#define offsetof(t, m) __builtin_offsetof(t, m)
#endif
#define TASK_COMM_LEN 16
#endif
