/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Processes: told of at exec, so that libraries and names are read while the process lives, and at their end. */
#ifndef LLMSLO_PROCESS_H
#define LLMSLO_PROCESS_H

RAW(sched_process_exec, process_exec) {
	u32 tgid = bpf_get_current_pid_tgid() >> 32, one = 1;
	struct process_record p = {};
	p.kind = RECORD_PROCESS;
	p.tgid = tgid;
	p.at_ns = bpf_ktime_get_ns();
	m_update(processes, &tgid, &one);
	forget_calls(tgid);
	if (m_output(events, &p, sizeof(p), 2)) /* as in meet() */
		count(LOSS_RING, 1);
	return 0;
}

RAW(sched_process_exit, process_exit) {
	u64 id = bpf_get_current_pid_tgid();
	u32 tgid = id >> 32;
	leave_for_good(id);
	if ((u32)id != tgid)
		return 0;
	forget_calls(tgid);
	if (m_lookup(processes, &tgid)) {
		struct process_record p = {};
		p.kind = RECORD_EXIT;
		p.tgid = tgid;
		p.at_ns = bpf_ktime_get_ns();
		m_delete(processes, &tgid);
		if (m_output(events, &p, sizeof(p), 1))
			count(LOSS_RING, 1);
	}
	return 0;
}
#endif
