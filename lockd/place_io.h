/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * place_io.h - one sequence of decisions on real disks: runs a paxos_core, whose blocks become the
 * records of diskhb/arbiter_wire.h.
 *
 * Callers: arbiter_paxos.c (the cluster lock), lockd_lock_io.c (each slot of the named locks). The
 * disks are the caller's: requests go out by `submit`, every answer whose token has the bits of
 * `token` comes in by place_io_answered(). One operation at a time; its answer comes by `done`, never
 * out of the call that asked. Everything runs on the thread of the loop.
 *
 * A sequence lies at the same kind of place on each disk: the arbiter's area, or a lock's. Disks may
 * differ in the size of their sectors.
 *
 * Ownership: place_io_create() allocates, place_io_free() frees. After that, answers that still come
 * must not be handed in.
 */
#ifndef HOLDFAST_PLACE_IO_H
#define HOLDFAST_PLACE_IO_H

#include <uv.h>

#include "base/err.h"
#include "diskhb/hb_facts.h"
#include "host/disk.h"
#include "lockd/paxos_core.h"

enum { PLACE_IO_CLUSTER = -1 }; /* `lock` of the cluster lock's own sequence */

struct place_io;

struct place_io_cost {
	unsigned reads, writes; /* of the operation, of all disks together */
	int64_t took_ns;
};

/* answer->value.data is the decided value. The operation is over: another may be asked for. */
typedef void place_io_done(const struct paxos_answer *answer, const struct place_io_cost *cost,
			   void *context);

struct place_io_setup {
	uv_loop_t *loop;
	int lock; /* 0..locks_max-1, or PLACE_IO_CLUSTER */
	uint16_t node;
	uint32_t incarnation, nonce;
	unsigned disks;
	const struct hb_area *areas[DISKS_MAX]; /* NULL: not known yet; at least one is */
	uint32_t io_timeout_ms;
	uint64_t seed; /* random */
	int owns_next; /* make the epoch after a granted one cheap */
	/* Bits that are set in every token; the lowest 24 are this file's own. Two sequences that
	 * share disks must differ in them. */
	uint64_t token;
	/* 0, or an error: then no answer comes. */
	int (*submit)(unsigned disk, const struct disk_request *request, void *context,
		      struct err *err);
	void *context;
};

enum { PLACE_IO_TOKEN_BITS = 24 };

int place_io_create(const struct place_io_setup *setup, struct place_io **place, struct err *err);

/* RC_BUSY: an operation is under way. RC_CONFIG: epoch 0, or a length that cannot be. */
int place_io_claim(struct place_io *place, uint64_t epoch, const void *value, size_t bytes,
		   mono_t deadline, place_io_done *done, void *context, struct err *err);
int place_io_look(struct place_io *place, mono_t deadline, place_io_done *done, void *context,
		  struct err *err);

/* A hint that this node's next claim is of `epoch`. */
void place_io_prepare(struct place_io *place, uint64_t epoch);

/* Is no operation under way, and no request with a disk? Only then may it be freed and begun anew by the
 * same incarnation. */
int place_io_is_idle(const struct place_io *place);

/* done() is not called any more; what was begun may still be completed by others. */
void place_io_cancel(struct place_io *place);

/* A DISK_DONE or DISK_LATE of one of its tokens. */
void place_io_answered(struct place_io *place, unsigned disk, const struct disk_answer *answer);

/* A disk that was missing has been opened. */
void place_io_area(struct place_io *place, unsigned disk, const struct hb_area *area);

/* Why it is unknown, in a sentence about `what` ("cluster lock", "lock NAME"), with the next step. */
int place_io_error(const struct paxos_answer *answer, const char *what, struct err *err);

/* Records and blocks; the seen ones are judged as those of `node` at `offset`. */
void place_block_in(struct paxos_block *block, const uint8_t bytes[RECORD_BYTES], uint64_t cluster,
		    uint16_t node, uint64_t offset);
void place_block_out(uint8_t bytes[RECORD_BYTES], const struct paxos_block *block, uint64_t cluster,
		     uint16_t node, uint64_t offset);

void place_io_free(struct place_io *place);

#endif
