/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Plaintext on kernels without the socket length tracepoints (before about 6.3): one program at the exit of every system
 * call. It taxes each of them by some 80 ns, so it is attached only there. It must find the socket behind a descriptor,
 * for which it needs field offsets of the running kernel: BTF relocations, which BCC has not. */
#ifndef LLMSLO_SYSCALL_H
#define LLMSLO_SYSCALL_H

#define KERNEL_LAYOUT __attribute__((preserve_access_index))

struct sock;
struct file {
	void *private_data;
} KERNEL_LAYOUT;
struct socket {
	struct file *file;
	struct sock *sk;
} KERNEL_LAYOUT;
struct fdtable {
	unsigned int max_fds;
	struct file **fd;
} KERNEL_LAYOUT;
struct files_struct {
	struct fdtable *fdt;
} KERNEL_LAYOUT;
struct task_struct {
	struct files_struct *files;
} KERNEL_LAYOUT;

#define FIELD(to, from, field)                                                                                         \
	bpf_probe_read_kernel(&to, sizeof(to), __builtin_preserve_access_index(&(from)->field))

/* The socket behind a descriptor of the current task; 0 where it is something else. */
static __always_inline u64 socket_of(u32 fd) {
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct files_struct *files = 0;
	struct fdtable *table = 0;
	struct file **open = 0, *file = 0, *back = 0;
	struct socket *socket = 0;
	struct sock *sock = 0;
	u32 max = 0;
	if (FIELD(files, task, files) || FIELD(table, files, fdt) || FIELD(max, table, max_fds) || fd >= max ||
	    FIELD(open, table, fd) || bpf_probe_read_kernel(&file, sizeof(file), &open[fd]) || !file ||
	    FIELD(socket, file, private_data) || !socket || FIELD(back, socket, file) || back != file ||
	    FIELD(sock, socket, sk))
		return 0;
	return (u64)sock;
}

RAW(sys_exit, syscall_exit) {
	struct pt_regs *regs = (struct pt_regs *)ctx->args[0];
	s64 result = ctx->args[1];
	u64 number = 0, fd = 0, flags = 0;
	u32 outgoing = 0;
	bpf_probe_read_kernel(&number, 8, &regs->orig_ax);
	switch (number) {
	case NR_WRITE:
	case NR_WRITEV:
	case NR_SENDTO:
	case NR_SENDMSG:
		outgoing = 1;
		break;
	case NR_READ:
	case NR_READV:
		break;
	case NR_RECVFROM:
		bpf_probe_read_kernel(&flags, 8, &regs->r10);
		break;
	case NR_RECVMSG:
		bpf_probe_read_kernel(&flags, 8, &regs->dx);
		break;
	default:
		return 0;
	}
	bpf_probe_read_kernel(&fd, 8, &regs->di);
	if (flags & MSG_PEEK)
		return 0;
	u64 sock = socket_of(fd);
	return sock ? moved(ctx, sock, result, outgoing) : 0;
}
#endif
